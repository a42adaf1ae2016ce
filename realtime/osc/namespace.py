"""The OSC namespace as one table: every address, its arguments, direction and meaning.

Encoding, decoding, dispatch, documentation and tests all read it. ``python -m struck.realtime.docs.osc_docs``
writes it into ``docs/osc.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...codec.events.descriptors import DRY, OSC_FIELDS
from ...codec.events.event_spec import FIELDS, GAIN_DB_HIGH, GAIN_DB_LOW, ROOM_NAMES, VECTOR_SIZE

#: A subscription ends after this, unless it is renewed.
SUBSCRIPTION_SECONDS: Final = 60.0

#: Stands for the last part of an address that is a name: of a control, of a counter.
NAME: Final = "<name>"


@dataclass(frozen=True)
class Argument:
    """One argument of a message.

    ``tag`` is its OSC type as struck sends it: ``i`` int32, ``f`` float32, ``s`` string, ``b`` blob. ``low``
    and ``high`` bound what is accepted; None where nothing is refused. ``texts`` are accepted in place of a
    number. An ``ignored`` one is sent for people and other programs; in a message that comes in it may be
    anything. A text that ``may_be_empty`` means something when it is.
    """

    name: str
    tag: str
    meaning: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    ignored: bool = False
    texts: tuple[str, ...] = ()
    may_be_empty: bool = False


@dataclass(frozen=True)
class Route:
    """One address.

    Args:
        address: may end in ``<name>``.
        direction: "in" to struck, "out" of it, or "in, out".
        arguments: in their order.
        meaning: what the message does or says.
        optional: the arguments may be left out.
        repeated: the last so many arguments come again and again, as often as there is something to say.
        sounding: it changes what sounds, so a take keeps it and a bundle's time tag defers it; a message
            that only asks is answered at once.
        readable: there is a current value; without arguments the message asks for it.
        clips: what is out of range lands on the nearest end; otherwise it is refused.
        critical: better sent over TCP, where it cannot be lost on the way.
    """

    address: str
    direction: str
    arguments: tuple[Argument, ...]
    meaning: str
    optional: bool = False
    repeated: int = 0
    sounding: bool = False
    readable: bool = False
    clips: bool = False
    critical: bool = False

    @property
    def comes_in(self) -> bool:
        return self.direction != "out"

    def spread(self, count: int) -> tuple[Argument, ...]:
        """The arguments of a message that has ``count``: the repeated ones as often as they come."""
        if not self.repeated:
            return self.arguments
        head, tail = self.arguments[: -self.repeated], self.arguments[-self.repeated :]
        return head + tail * max(1, (count - len(head)) // self.repeated)


#: Meaning and unit of the descriptors in an event message.
_DESCRIPTORS: Final[dict[str, tuple[str, str]]] = {
    "pitch_hz": ("of the lowest mode, once settled", "Hz"),
    "brightness": ("power-weighted mean of the modes' octaves above the lowest", "octaves"),
    "attack_s": ("rise of the force", "s"),
    "decay_s": ("60 dB decay time of the lowest mode", "s"),
    "noisiness": ("share of noise in the power, 0 to 1", ""),
    "room": (", ".join(f"`{room}`" for room in (DRY, *ROOM_NAMES)), ""),
}

PITCH: Final = Argument("pitch", "i", "60 is middle C", "MIDI note", 0, 127)
VELOCITY: Final = Argument("velocity", "i", "loudness; 0 ends the phrase", "MIDI velocity", 0, 127)

#: What an amendment may name.
AMENDABLE: Final = tuple(
    dict.fromkeys(("gain_db", *(name for name, _, _ in OSC_FIELDS), *(field.name for field in FIELDS)))
)

ID: Final = Argument("id", "i", "of the event: the one that the sender gave it, else the one that struck did")

EVENT: Final = Route(
    "/struck/event",
    "in, out",
    (
        Argument(
            "id",
            "i",
            "out: counts from 1 through a performance. In: what the sender amends and ends it by",
            ignored=True,
        ),
        Argument("gain_db", "f", "level at the attack re full-scale RMS", "dB", GAIN_DB_LOW, GAIN_DB_HIGH),
        *(
            Argument(name, tag, _DESCRIPTORS[name][0], _DESCRIPTORS[name][1], ignored=True)
            for name, tag, _ in OSC_FIELDS
        ),
        Argument("vector", "b", f"{VECTOR_SIZE} big-endian float32, the fields below", "", -1.0, 1.0),
    ),
    "out: an event sounds, one bundle per event, its time tag is when. In: plays an event; the time tag of "
    "its bundle is when it sounds. Gain and vector are what counts",
    sounding=True,
)
AMEND: Final = Route(
    "/struck/amend",
    "in, out",
    (
        ID,
        Argument(
            "name",
            "s",
            "`gain_db`, a descriptor of `/struck/event` or a field of its vector",
            texts=tuple(AMENDABLE),
        ),
        Argument(
            "value",
            "f",
            "new value in its unit; out of its range lands on the nearest end; a room may be named",
            texts=(DRY, *ROOM_NAMES),
        ),
    ),
    "from the time tag on, the event sounds as if it had been born with these values",
    repeated=2,
    sounding=True,
)
END: Final = Route(
    "/struck/end", "in, out", (ID,), "the event is released, as its vector's `release` says", sounding=True
)
CONTROL: Final = Route(
    f"/struck/control/{NAME}",
    "in, out",
    (Argument("value", "f", "in the control's own unit; out of its range lands on the nearest end"),),
    "in: sets a control; without a value asks where it stands. Out: the answer",
    sounding=True,
    readable=True,
    clips=True,
)
PATCH: Final = Route(
    "/struck/patch",
    "in, out",
    (Argument("patch", "s", "a shipped patch, or a file in the folder of the one given at the start"),),
    "in: loads a patch; without a name asks which is loaded. Out: the answer",
    sounding=True,
    readable=True,
    critical=True,
)
INSERT: Final = Route(
    "/struck/insert",
    "in",
    (
        Argument("insert", "s", "its name in the patch"),
        Argument("parameter", "s", "of the plug-in; or `wet`, 0 to 1, or `bypass`, 0 or 1"),
        Argument("value", "f", "in the parameter's own unit"),
    ),
    "sets a parameter of an insert; out of its range it is refused",
    sounding=True,
)
INSERT_VALUE: Final = Route(
    f"/struck/insert/<insert>/{NAME}",
    "in, out",
    (Argument("value", "f", "in the parameter's own unit; out of its range it is refused"),),
    "in: sets the parameter of an insert, or its `wet` or `bypass`; without a value asks where it stands. "
    "Out: the answer",
    sounding=True,
    readable=True,
)
TRANSFORM_VALUE: Final = Route(
    f"/struck/transform/<transform>/{NAME}",
    "in, out",
    (Argument("value", "f", "in its own unit, 0 or 1 of a switch; out of its range it is refused"),),
    "in: turns a value of one of the patch's transforms; without a value asks where it stands. "
    "Out: the answer",
    sounding=True,
    readable=True,
)
LEARN: Final = Route(
    "/struck/learn",
    "in",
    (Argument("target", "s", "a control, or what else maps turn; empty: learn no more", may_be_empty=True),),
    "the next MIDI controller that is moved turns the target from then on",
)
UNLEARN: Final = Route(
    "/struck/unlearn",
    "in",
    (Argument("target", "s", "as it was learned"),),
    "no controller turns the target any more, of those learned while playing",
)
DO: Final = Route(
    "/struck/do",
    "in",
    (
        Argument("name", "s", "an action, as `snapshot/1` or `setlist/next`, or what else maps can turn"),
        Argument("value", "f", "of what is turned, in its unit; with an action any"),
    ),
    "does what a controller could be mapped to",
    sounding=True,
)
SAVE: Final = Route(
    "/struck/save",
    "in",
    (Argument("patch", "s", "its new name; empty: to its own file, if it has one", may_be_empty=True),),
    "saves the patch as it is played now, with its controls and its inserts' parameters, among your own",
    critical=True,
)
PHRASE: Final = Route(
    "/struck/phrase",
    "in",
    (PITCH, VELOCITY, Argument("style", "s", "such as `arpeggio`; empty: the patch's", may_be_empty=True)),
    "plays a phrase, from the next beat until velocity 0 comes for its pitch and style",
    sounding=True,
)
PANIC: Final = Route(
    "/struck/panic", "in", (), "silence now; what was scheduled is forgotten", sounding=True, critical=True
)
PING: Final = Route("/struck/ping", "in", (), "asks for `/struck/pong`")
PONG: Final = Route("/struck/pong", "out", (), "answers a ping")
STATS: Final = Route(
    "/struck/stats", "in", (), f"asks for the counters, as one `/struck/stats/{NAME}` each, in bundles"
)
STATISTIC: Final = Route(
    f"/struck/stats/{NAME}",
    "out",
    (Argument("value", "f", "a counter as int32 (as float32 from 2^31 on), a level as float32"),),
    "one counter or level; its name has the unit",
)
LATENCY: Final = Route(
    "/struck/latency",
    "in, out",
    (Argument("part", "s", "a part of the way"), Argument("latency", "f", "its share", "s")),
    "in, without arguments: asks for the latency ledger. Out: the ledger, with what was measured of it; also "
    "sent to a new subscriber",
    repeated=2,
    optional=True,
)
SUBSCRIBE: Final = Route(
    "/struck/subscribe",
    "in",
    (
        Argument(
            "port",
            "i",
            "port of the sender's host; left out: the one it sent from",
            "",
            1,
            65535,
        ),
    ),
    f"the port gets every event for {SUBSCRIPTION_SECONDS:g} s; sent again, it is renewed",
    optional=True,
)
UNSUBSCRIBE: Final = Route(
    "/struck/unsubscribe",
    "in",
    (Argument("port", "i", "as it was subscribed", "", 1, 65535),),
    "no more events",
    optional=True,
)
SUBSCRIBED: Final = Route(
    "/struck/subscribed",
    "out",
    (
        Argument("port", "i", "that gets the events"),
        Argument("remaining", "f", "until the subscription ends; 0: there is none", "s"),
    ),
    "answers `/struck/subscribe` and `/struck/unsubscribe`, to where they came from",
)

NAMESPACE: Final[tuple[Route, ...]] = (
    EVENT, AMEND, END, CONTROL, PATCH, INSERT, INSERT_VALUE, TRANSFORM_VALUE, SAVE, DO, LEARN, UNLEARN,
    PHRASE, PANIC, PING, PONG, STATS, STATISTIC, LATENCY, SUBSCRIBE, UNSUBSCRIBE, SUBSCRIBED,
)  # fmt: skip

_ROUTES: Final[dict[str, Route]] = {route.address: route for route in NAMESPACE}
#: Those with names in their address, by their number of parts.
_NAMED: Final[dict[int, list[Route]]] = {}
for _route in NAMESPACE:
    if _route.address.endswith(NAME):
        _NAMED.setdefault(_route.address.count("/") + 1, []).append(_route)


def find_route(address: str) -> tuple[Route, str] | None:
    """The row of the table that ``address`` belongs to, and the name at its end, "" if the row has none.

    Of a row with two names they are one, with the ``/`` between them.

    >>> find_route("/struck/control/room_mix")[1], find_route("/struck/insert/plate/wet")[1]
    ('room_mix', 'plate/wet')
    >>> find_route("/struck/unknown") is None
    True
    """
    route = _ROUTES.get(address)
    if route is not None and not address.endswith(NAME):
        return route, ""
    parts = address.split("/")
    for route in _NAMED.get(len(parts), ()):
        stem = route.address.split("/<")[0] + "/"
        name = address.removeprefix(stem)
        if name != address and all(name.split("/")) and NAME not in name:
            return route, name
    return None


def address_part(name: str) -> str:
    """``name`` as a part of an address: without what has a meaning there.

    >>> address_part("Plate Reverb 2/3")
    'Plate_Reverb_2_3'
    """
    return "".join("_" if c in " #*,/?[]{}" or not c.isprintable() or not c.isascii() else c for c in name)
