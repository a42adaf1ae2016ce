"""Stand-ins for the stage and its clock that write down what they are asked to do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from struck.codec.events.events import Event
from struck.realtime.stage.shaping import PLAIN, Expression


@dataclass
class FakeClock:
    """Stream position 0 at 0 s."""

    rate: int = 48_000
    block_frames: int = 64
    output_latency_seconds: float = 0.0
    now: float = 0.0

    def position_samples(self) -> int:
        return self.sample_at(self.now)

    def sample_at(self, monotonic_seconds: float) -> int:
        return round(monotonic_seconds * self.rate)

    def monotonic_at(self, at_sample: int) -> float:
        return at_sample / self.rate


@dataclass(frozen=True)
class FakeSounding:
    id: int
    event: Event
    at_sample: int


@dataclass
class FakeStage:
    """``calls`` holds ("play", key, event, expression), ("end", key, at_sample), ("express", key, expression)
    and so on, with the key that was in ``key`` when the event was played."""

    rate: int = 48_000
    full: bool = False
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)
    key: int = 0
    keys: list[int] = field(default_factory=list)  # by id

    def play(self, event: Event, origin: str, expression: Expression = PLAIN) -> FakeSounding | None:
        assert origin == "midi"
        if self.full:
            return None
        self.calls.append(("play", self.key, event, expression))
        self.keys.append(self.key)
        return FakeSounding(len(self.keys) - 1, event, event.onset_sample(self.rate))

    def end(self, id: int, at_seconds: float) -> None:
        self.calls.append(("end", self.keys[id], round(at_seconds * self.rate)))

    def express(self, id: int, expression: Expression) -> None:
        self.calls.append(("express", self.keys[id], expression))

    def set_control(self, name: str, value: float) -> None:
        self.calls.append(("control", name, value))

    def panic(self) -> None:
        self.calls.append(("panic",))

    def count(self, counter: str, number: int = 1) -> None:
        self.counts[counter] += number

    def tell(self, line: str) -> None:
        self.lines.append(line)

    def taken(self, kind: str) -> list[tuple[Any, ...]]:
        """Arguments of the calls of a kind so far; all calls are forgotten."""
        found = [call[1:] for call in self.calls if call[0] == kind]
        self.calls.clear()
        return found
