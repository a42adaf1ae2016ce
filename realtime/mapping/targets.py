"""What a controller can turn: controls, parameters of inserts and values of transforms; and actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from typing import Final, Protocol

from ...codec.events.errors import StruckError
from ...codec.transforms.chain import Link
from ...patches.map_patch import MapEntry
from ...patches.setlist import MORPH_BEATS_HIGH
from ..engine.parameters import PARAMETER

INSERT: Final = "insert/"
TRANSFORM: Final = "transform/"
#: Controls that are factors go in equal ratios.
_RATIOS: Final = ("decay", "attack")
_POWERS: Final = {"slow": 2.0, "fast": 0.5}


#: Snapshots that can be saved while playing.
SNAPSHOT_COUNT: Final = 8
#: What can be done, by name, and what that is.
ACTIONS: Final = {
    "panic": "silence now",
    "patch/next": "recall the next patch of `struck patches list`",
    "patch/previous": "recall the one before",
    "setlist/next": "enter the next snapshot of the setlist",
    "setlist/previous": "enter the one before",
    **{f"snapshot/{n}": f"go to snapshot {n}, in `morph_beats`" for n in range(1, SNAPSHOT_COUNT + 1)},
    **{f"snapshot/save/{n}": f"save the controls as snapshot {n}" for n in range(1, SNAPSHOT_COUNT + 1)},
    "snapshot/back": "go back to before the last recall, and with the next one return: A and B",
    "snapshot/stop": "leave the controls in between",
    "capture/hold": "notes of `[note] heard` take no more sounds of what is heard; again: they do",
    "capture/clear": "they forget what was heard",
    "undo": "take back the last step, one of 32",
}
#: What can be turned beside controls and inserts: its ends, unit and meaning.
VALUES: Final = {"morph_beats": (0.0, MORPH_BEATS_HIGH, "beats", "time of the way to a snapshot")}


class TargetStage(Protocol):
    """Of :class:`~struck.realtime.stage.stage.Stage` what targets need."""

    def set_control(self, name: str, value: float) -> None: ...
    def controls(self) -> dict[str, float]: ...
    def set_transform(self, name: str, field: str, value: float) -> None: ...
    def transform(self, name: str) -> Link: ...


@dataclass(frozen=True)
class Target:
    """Something that can be turned.

    Args:
        name: as maps call it.
        low, high: its ends, in ``unit``.
        middle: where it is in the middle of a controller, each half with a scale of its own; None: between.
        curve: the usual way from end to end, one of ``CURVES``.
        get, set: where it stands, and how it is turned.
        action: it is done, not turned: when the controller goes up through its middle.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    middle: float | None = None
    curve: str = "linear"
    get: Callable[[], float] = lambda: 0.0
    set: Callable[[float], None] = lambda value: None
    action: bool = False


#: Of an insert and one of its parameters: low, high, whether it goes in equal ratios.
FindParameter = Callable[[str, str], tuple[float, float, bool]]


class Targets:
    """Finds targets by name.

    Args:
        stage: whose controls they are.
        actions: by name, what is done.
        find_parameter: of inserts; raises ValueError where there is none.
        set_parameter: of inserts.
        values: what is turned beside those, of :data:`VALUES`: how it is read and set.
    """

    def __init__(
        self,
        stage: TargetStage,
        actions: Mapping[str, Callable[[], None]],
        find_parameter: FindParameter | None = None,
        set_parameter: Callable[[str, str, float], None] = lambda insert, symbol, value: None,
        values: Mapping[str, tuple[Callable[[], float], Callable[[float], None]]] | None = None,
    ) -> None:
        self._values = dict(values or {})
        self._stage, self._actions = stage, actions
        self._find_parameter, self._set_parameter = find_parameter, set_parameter
        self._set: dict[str, float] = {}  # where parameters of inserts were turned to

    def names(self) -> list[str]:
        """Controls and actions; parameters of inserts come with patches."""
        return [*PARAMETER, *self._values, *self._actions]

    def find(self, name: str) -> Target:
        """The target ``name``.

        Raises:
            ValueError: there is none.
        """
        if name in PARAMETER:
            return self._control(name)
        if name in self._values:
            low, high, unit, _ = VALUES[name]
            get, turn = self._values[name]
            return Target(name, low, high, unit, get=get, set=turn)
        if name in self._actions:
            action = self._actions[name]
            return Target(name, set=lambda value: action(), action=True)
        if name.startswith(INSERT) and name.count("/") >= 2 and self._find_parameter is not None:
            return self._parameter(name)
        if name.startswith(TRANSFORM) and name.count("/") == 2:
            return self._transform(name)
        known = ", ".join((*self.names(), f"{INSERT}NAME/PARAMETER", f"{TRANSFORM}NAME/KEY"))
        raise ValueError(f"nothing is called {name}; there are {known}")

    def do(self, name: str, value: float) -> None:
        """Turn a target to a value, or do what it says.

        Raises:
            ValueError: there is none, or the value is out of its range.
        """
        target = self.find(name)
        if not target.action and not target.low <= value <= target.high:
            raise ValueError(f"{name} is {value:g}; the range is {target.low:g} to {target.high:g}")
        target.set(value)

    def _control(self, name: str) -> Target:
        p = PARAMETER[name]
        ratios = name in _RATIOS
        inside = p.low < p.default < p.high and not ratios
        return Target(
            name,
            p.low,
            p.high,
            p.unit,
            p.default if inside else None,
            "log" if ratios else "linear",
            lambda: self._stage.controls()[name],
            lambda value: self._stage.set_control(name, value),
        )

    def _parameter(self, name: str) -> Target:
        insert, symbol = name.removeprefix(INSERT).split("/", 1)
        assert self._find_parameter is not None
        low, high, ratios = self._find_parameter(insert, symbol)

        def turn(value: float) -> None:
            self._set[name] = value
            self._set_parameter(insert, symbol, value)

        curve = "log" if ratios and low > 0.0 else "linear"
        return Target(name, low, high, "", None, curve, lambda: self._set.get(name, low), turn)

    def _transform(self, name: str) -> Target:
        kind, key = name.removeprefix(TRANSFORM).split("/")
        link = self._stage.transform(kind)
        field = link.field(key)
        return Target(
            name,
            field.low,
            field.high,
            field.unit,
            get=lambda: float(link.values[key]),
            set=lambda value: self._stage.set_transform(kind, key, value),
        )


class Scale:
    """From positions 0 to 1 to a target's values and back, as an entry of a map says.

    Raises:
        ValueError: the entry's ends or its curve do not fit the target.
    """

    def __init__(self, target: Target, entry: MapEntry) -> None:
        for end in (entry.low, entry.high):
            if end is not None and not target.low <= end <= target.high:
                raise ValueError(
                    f"{target.name} goes from {target.low:g} to {target.high:g} {target.unit}".rstrip()
                    + f", not to {end:g}"
                )
        self._low = target.low if entry.low is None else entry.low
        self._high = target.high if entry.high is None else entry.high
        own = entry.low is None and entry.high is None and not entry.curve
        self._middle = target.middle if own else None
        self._curve = entry.curve or target.curve
        if self._curve == "log" and min(self._low, self._high) <= 0.0:
            raise ValueError(f"{target.name}: the curve log needs ends above 0")

    def value(self, position: float) -> float:
        """The target's value at a position."""
        u = min(1.0, max(0.0, position))
        low, high = self._low, self._high
        if self._middle is not None:
            half = (low, self._middle, 2.0 * u) if u <= 0.5 else (self._middle, high, 2.0 * u - 1.0)
            return half[0] + (half[1] - half[0]) * half[2]
        if self._curve == "log":
            return float(low * (high / low) ** u)
        return float(low + (high - low) * u ** _POWERS.get(self._curve, 1.0))

    def position(self, value: float) -> float:
        """The position at which the target has a value; the nearer end where it is beyond."""
        low, high = self._low, self._high
        if low == high:
            return 0.0
        if self._middle is not None:
            below = value <= self._middle
            ends = (low, self._middle) if below else (self._middle, high)
            u = 0.5 * (value - ends[0]) / (ends[1] - ends[0]) + (0.0 if below else 0.5)
            return min(1.0, max(0.0, u))
        inside = min(max(value, min(low, high)), max(low, high))
        if self._curve == "log":
            return log(inside / low) / log(high / low)
        u = (inside - low) / (high - low)
        return float(u ** (1.0 / _POWERS.get(self._curve, 1.0)))


def check_target(name: str, low: float | None = None, high: float | None = None) -> None:
    """Refuse what no map can turn, as far as that is known without a performance.

    Raises:
        StruckError: there is no such control or action, or an end is outside its range.
    """
    if name.startswith(INSERT) and name.count("/") >= 2:
        return
    if name.startswith(TRANSFORM) and name.count("/") == 2:
        return
    if name in ACTIONS or name in VALUES:
        return
    if name not in PARAMETER:
        known = ", ".join((*PARAMETER, *VALUES, *ACTIONS, f"{INSERT}NAME/PARAMETER", f"{TRANSFORM}NAME/KEY"))
        raise StruckError(f"nothing is called {name}; there are {known}")
    p = PARAMETER[name]
    for end in (low, high):
        if end is not None and not p.low <= end <= p.high:
            raise StruckError(
                f"{name} goes from {p.low:g} to {p.high:g} {p.unit}".rstrip() + f", not to {end:g}"
            )
