"""The stage: where the events of all sources meet, are changed by the performer's controls, and sound.

Every source's thread calls in here; one lock among them makes the command ring's single producer. The audio
thread knows nothing of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import ceil
from threading import Event as Signal
from threading import Lock
from typing import Final

import numpy as np

from ...codec.events.amendments import Amendment, End, difference
from ...codec.events.event_spec import ANALYSIS_RATE, VECTOR_SIZE
from ...codec.events.events import Event
from ...codec.events.lives import sounding_seconds
from ...codec.events.quantize import quantize_events, restore_events
from ...codec.playing.voice_records import RecordMaker
from ...codec.transforms.chain import Link
from ...codec.transforms.transform import Shaper, TransformSettings, same
from ...codec.weights.codec_weights import CodecWeights
from ..engine import commands
from ..engine.clock import StreamClock
from ..engine.parameters import ENGINE_PARAMETERS, PARAMETER, PARAMETERS, gain_from_db
from ..engine.state import POSITION, WIDTH, EngineState
from .command_sender import CommandSender
from .lives import Life, Lives
from .outcomes import Outcome, Outcomes, Witness
from .shaping import PLAIN, SHAPING_CONTROLS, Expression, changed_event, shape
from .soundings import Sink, Sounding, SoundingAmendment, SoundingEnd, SoundingEvent
from .transformer import Transformer

#: Voice records of 8 kB each: 4 MB.
_RECORDS_KEPT: Final = 512
#: The longest that a panic waits for room among the commands; a full ring is empty after 16 blocks.
_PANIC_SECONDS: Final = 0.1
_RESUME_SECONDS: Final = 0.5
_PLAIN_CONTROLS: Final = {parameter.name: parameter.default for parameter in PARAMETERS}

#: Gets what changes: its kind, its name, its new value.
Watcher = Callable[[str, str, float | str], None]


class Stage:
    """Plays events and carries out what performers ask for, from any thread.

    Args:
        state: the engine's.
        weights: the codec's.
        clock: of the stream.
        tell: takes one line for the performer.
        exact: events keep their float vectors; otherwise all are quantised as in a take, so that the take
            sounds as the stage did.
    """

    def __init__(
        self,
        state: EngineState,
        weights: CodecWeights,
        clock: StreamClock,
        tell: Callable[[str], None],
        exact: bool = False,
    ) -> None:
        self.weights = weights
        self.clock = clock
        self.tell = tell
        self._state = state
        self._exact = exact
        self._records = RecordMaker(weights, clock.rate)
        self._made: dict[tuple[float, bytes], np.ndarray] = {}
        self._sinks: list[Sink] = []
        self._panic_calls: list[Callable[[float], None]] = []
        self._lock = Lock()  # the sender's
        self._sender = CommandSender(state.commands, self.count)
        self._outcomes = Outcomes(state, clock.rate)
        self._outcomes.add(self._count_outcome)
        self._controls = {parameter.name: parameter.default for parameter in PARAMETERS}
        self._patch = ""
        self._watchers: list[Watcher] = []
        self._input: tuple[float, ...] = ()  # width and weights, once they have been chosen
        self._lives = Lives()
        #: Set while something waits for :meth:`send_expressions`.
        self.moved = Signal()
        self._counts: Counter[str] = Counter()
        self._count_lock = Lock()
        #: What the patch does to events.
        self.transforms = Transformer(
            self,
            weights.decoder,
            lambda: int(state.numbers[POSITION]) / clock.rate,
            lambda: clock.block_frames / clock.rate,
            self.count,
            self.moved.set,
        )
        self._last_id = 0
        self._load_patch: Callable[[str], None] | None = None
        self._ask_patch: Callable[[str], None] | None = None
        self._learn: Callable[[str], None] | None = None
        self._unlearn: Callable[[str], None] | None = None
        self._set_insert: Callable[[str, str, float], None] | None = None
        self._save_patch: Callable[[str], None] | None = None
        self._play_phrase: Callable[[int, int, str], None] | None = None
        self._do: Callable[[str, float], None] | None = None
        self._stats: Callable[[], dict[str, int | float]] = lambda: dict(self.counts())
        #: The least time in samples from the arrival of a heard event to its sound; None before the first.
        self.least_margin_samples: int | None = None

    def add_sink(self, sink: Sink) -> None:
        """Let ``sink`` have every event that is going to sound, ahead of its time; it must not block."""
        self._sinks.append(sink)

    def add_witness(self, witness: Witness) -> None:
        """Let ``witness`` know what became of every event, once the engine has told; it must not block."""
        self._outcomes.add(witness)

    def attend(self) -> None:
        """Pass on what the engine has told, and send it what it had no room for; call it about every 50 ms.

        When it returns, all witnesses know of everything that began a block or more ago.
        """
        with self._lock:
            self._sender.settle()
        self.transforms.release()
        self._outcomes.tell()

    def add_panic(self, call: Callable[[float], None]) -> None:
        """Let ``call`` know of a panic and its stream time in seconds: events after it do not sound."""
        self._panic_calls.append(call)

    def add_watcher(self, watcher: Watcher) -> None:
        """Let ``watcher`` know of every control, insert and patch that changes, in their order.

        It is called, whoever made the change, with the kind, ``control``, ``insert``, ``transform`` or
        ``patch``; the name of the control, of insert and parameter, or transform and field, with a ``/``
        between them, "" for a patch; and the new value.
        Some locks are held meanwhile: it must not block, nor call the stage.
        """
        self._watchers.append(watcher)

    def warm_up(self) -> None:
        """Run once what plays an event, so that nothing is paged in while music plays."""
        self._records.make([Event(0.0, 0.0, np.zeros(VECTOR_SIZE, np.float32))])

    def hand_over(
        self,
        load_patch: Callable[[str], None],
        play_phrase: Callable[[int, int, str], None],
        stats: Callable[[], dict[str, int | float]],
        set_insert: Callable[[str, str, float], None] | None = None,
        do: Callable[[str, float], None] | None = None,
        save_patch: Callable[[str], None] | None = None,
    ) -> None:
        """Say who carries out :meth:`load_patch`, :meth:`play_phrase`, :meth:`stats`, :meth:`set_insert` and
        :meth:`save_patch`."""
        self._load_patch, self._play_phrase, self._stats = load_patch, play_phrase, stats
        self._set_insert, self._do, self._save_patch = set_insert, do, save_patch

    # -- events

    def play(self, event: Event, origin: str, expression: Expression = PLAIN) -> SoundingEvent | None:
        """Let ``event`` sound at its onset, a stream time; at once if that has passed.

        Args:
            event: as its source made it; the controls change it here.
            origin: ``heard``, ``midi`` or ``osc``.
            expression: of its player.

        Returns:
            What will sound, or None: too soft for the threshold, or refused for lack of room (counted).
        """
        if self.is_below_threshold(event):
            self.count("events_below_threshold")
            return None

        def play(moved: Event, shaper: Shaper, first: bool) -> SoundingEvent | None:
            return self._play(moved, shaper, origin, expression, first)

        return self.transforms.play(event, play)

    def _play(
        self,
        event: Event,
        shaper: Shaper,
        origin: str,
        expression: Expression = PLAIN,
        first: bool = True,
        controls: Mapping[str, float] | None = None,
    ) -> SoundingEvent | None:
        """Let one copy of an event sound; ``controls`` are those it keeps, None: it follows the stage."""
        shaped = shape(shaper(event), controls or self._controls, expression)
        raw, event = event, self._as_in_take(shaped)
        position = int(self._state.numbers[POSITION])
        at_sample = event.onset_sample(self.clock.rate)
        if origin == "heard" and first:
            margin = at_sample - position
            least = self.least_margin_samples
            self.least_margin_samples = margin if least is None else min(least, margin)
        elif at_sample < position:
            # The next block takes it, on the grid of takes. Should that be computed just now, it is a block
            # late, and counted; one block more for all would be the price of none.
            event = replace(event, onset_seconds=self._on_grid(position))
            at_sample = event.onset_sample(self.clock.rate)
        record = self._make_record(event)
        with self._lock:
            id = self._last_id + 1
            sounding = SoundingEvent(id, replace(event, id=id), at_sample, origin)
            self._outcomes.announce(sounding)
            if not self._sender.send(commands.play(at_sample, id), record):
                self._outcomes.withdraw(id)
                return None
            self._last_id = id
            life = Life(origin, raw, shaped, sounding.event, at_sample, expression)
            life.shaper, life.controls = shaper, controls
            life.fades_sample = self._fades_sample(sounding.event, at_sample)
            self._lives.add(id, life, position)
        for sink in self._sinks:
            sink(sounding)
        return sounding

    def is_below_threshold(self, event: Event) -> bool:
        """Whether the control ``threshold_db`` keeps ``event`` from being played."""
        return event.gain_db < self._controls["threshold_db"]

    def sounds(self, id: int) -> bool:
        """Whether the event ``id`` sounds, or will."""
        with self._lock:
            life = self._lives.get(id)
            return life is not None and life.fades_sample > int(self._state.numbers[POSITION])

    def end(self, id: int, at_seconds: float) -> None:
        """Release the event ``id`` then, at once if that has passed; one that has ended is counted."""
        self.transforms.tell(id, at_seconds, self._end)

    def _end(self, id: int, at_seconds: float) -> None:
        with self._lock:
            life = self._lives.remove(id)
            if life is None:
                self.count("ends_unknown")
                return
            seconds, at_sample = self._time_of_change(life, at_seconds, life.amended_sample)
            self._sender.owe(commands.end(id, at_sample))
        self._tell_sinks([SoundingEnd(id, End(id, seconds), at_sample, life.origin)])

    def amend(self, id: int, at_seconds: float, changes: Mapping[str, float | str]) -> None:
        """Change how the event ``id`` sounds from then on, at once if that has passed.

        Args:
            id: of the event; one that does not sound is counted.
            at_seconds: stream time.
            changes: new values by name: ``gain_db``, fields of the vector in their units, descriptors as
                ``/struck/event`` names them.

        Raises:
            ValueError: a name or a value cannot be used.
        """
        self.transforms.tell(id, at_seconds, lambda id, at_seconds: self._amend(id, at_seconds, changes))

    def _amend(self, id: int, at_seconds: float, changes: Mapping[str, float | str]) -> None:
        with self._lock:
            life = self._lives.get(id)
            if life is None:
                self.count("amendments_unknown")
                return
            life.wanted = changed_event(self.weights, life.wanted, changes)
            told = self._become([(id, life, at_seconds)])
        self._tell_sinks(told)

    def correct(self, amendments: Sequence[Amendment]) -> None:
        """Let events be what their source knows of them by now, each from its amendment's time on.

        An amendment tells the event as its source has it; controls and expression change it as they do the
        event itself, and what others have amended of it stays.

        Args:
            amendments: by the stage's ids; those of an event that does not sound are counted, and so are
                those that come after their time.
        """
        plain = []
        for amendment in amendments:
            if self.transforms.knows(amendment.id):
                self.transforms.tell(amendment.id, amendment.at_seconds, self._correction(amendment))
            else:
                plain.append(amendment)
        self._correct(plain)

    def _correction(self, amendment: Amendment) -> Callable[[int, float], None]:
        return lambda id, at_seconds: self._correct([replace(amendment, id=id, at_seconds=at_seconds)])

    def _correct(self, amendments: Sequence[Amendment]) -> None:
        becoming: dict[int, tuple[int, Life, float]] = {}
        told: list[SoundingAmendment] = []
        with self._lock:
            for amendment in amendments:
                life = self._lives.get(amendment.id)
                if life is None:
                    self.count("amendments_unknown")
                    continue
                if amendment.id in becoming:  # the first is not to know of the second
                    told += self._become(list(becoming.values()))
                    becoming.clear()
                life.raw = amendment.apply(life.raw)
                self._reshape(life)
                if amendment.at_seconds * self.clock.rate < int(self._state.numbers[POSITION]):
                    self.count("amendments_late")
                becoming[amendment.id] = amendment.id, life, amendment.at_seconds
            told += self._become(list(becoming.values()))
        self._tell_sinks(told)

    def raw(self, id: int) -> Event | None:
        """The event ``id`` as its source has it, without what controls and players do; None: it is over."""
        with self._lock:
            life = self._lives.get(id)
            return None if life is None else life.raw

    def express(self, id: int, expression: Expression) -> None:
        """Let the event ``id`` follow its player; it is heard with the next :meth:`send_expressions`."""
        self.transforms.tell(id, 0.0, lambda id, at_seconds: self._express(id, expression))

    def _express(self, id: int, expression: Expression) -> None:
        with self._lock:
            life = self._lives.get(id)
            if life is not None and life.expression != expression:
                life.expression, life.moved = expression, True
                self.moved.set()

    def send_expressions(self) -> None:
        """Let be heard what players and controls have moved since the last time."""
        with self._lock:
            self.moved.clear()
            moved = [(id, life) for id, life in self._lives.items() if life.moved]
            at_sample = int(self._state.numbers[POSITION]) + self.clock.block_frames
            becoming = [
                (id, life, at_sample / self.clock.rate) for id, life in moved if life.fades_sample > at_sample
            ]
            for _, life in moved:
                life.moved = False
                self._reshape(life)
            told = self._become(becoming)
        self._tell_sinks(told)

    def _reshape(self, life: Life) -> None:
        """Let what controls, expression and source have changed be wanted; with the lock."""
        shaped = shape(life.shaper(life.raw), life.controls or self._controls, life.expression)
        change = difference(life.shaped, shaped, 0, 0.0)
        life.shaped = shaped
        if change is not None:
            life.wanted = change.apply(life.wanted)

    def _become(self, becoming: Sequence[tuple[int, Life, float]]) -> list[SoundingAmendment]:
        """Let events sound as is wanted, each from a stream time in seconds on; what is told of it. With the
        lock."""
        told: list[SoundingAmendment] = []
        lives = {id: life for id, life, _ in becoming}
        for id, life, at_seconds in becoming:
            seconds, at = self._time_of_change(life, at_seconds, life.amended_sample + 1)
            event = replace(self._as_in_take(life.wanted), onset_seconds=life.sounding.onset_seconds, id=id)
            amendment = difference(life.sounding, event, id, seconds)
            if amendment is not None:
                told.append(SoundingAmendment(id, amendment, event, at, life.origin))
        if not told:
            return []
        records = self._records.make([sounding.event for sounding in told])
        sent = []
        for sounding, record in zip(told, records, strict=True):
            life = lives[sounding.id]
            if self._sender.send(commands.amend(sounding.id, sounding.at_sample), record):
                life.sounding, life.amended_sample = sounding.event, sounding.at_sample
                life.fades_sample = self._fades_sample(
                    sounding.event, sounding.event.onset_sample(self.clock.rate)
                )
                sent.append(sounding)
            else:  # the next time, with what has moved by then
                life.moved = True
                self.moved.set()
        return sent

    def _time_of_change(self, life: Life, at_seconds: float, earliest_sample: int) -> tuple[float, int]:
        """When an amendment or end of ``life`` acts, in seconds and device samples: at ``at_seconds`` if that
        can be."""
        rate = self.clock.rate
        earliest = max(int(self._state.numbers[POSITION]), life.begun_sample, earliest_sample)
        seconds = round(at_seconds * ANALYSIS_RATE) / ANALYSIS_RATE
        if round(seconds * rate) < earliest:
            seconds = self._on_grid(earliest)
        # Of two sums of seconds at one sample either may be the smaller: in a take the event comes first.
        seconds = max(seconds, life.sounding.onset_seconds)
        return seconds, round(seconds * rate)

    def _tell_sinks(self, told: Sequence[Sounding]) -> None:
        for sounding in told:
            for sink in self._sinks:
                sink(sounding)

    def _on_grid(self, at_sample: int) -> float:
        """Stream time of ``at_sample``, or just after it, that a take can hold, in seconds."""
        return ceil(at_sample / self.clock.rate * ANALYSIS_RATE) / ANALYSIS_RATE

    def _fades_sample(self, event: Event, onset_sample: int) -> int:
        return onset_sample + round(sounding_seconds(event) * self.clock.rate)

    def panic(self) -> None:
        """Silence now: no voice, no waiting event, no room, no phrase."""
        with self._lock:
            self._sender.owe(commands.panic())
            self._sender.settle_within(_PANIC_SECONDS)
        self.count("panics")
        self._after_panic()

    def _after_panic(self) -> None:
        """Tell that all is silent: what sounded has ended, what waited will not sound."""
        position = int(self._state.numbers[POSITION])
        with self._lock:
            silenced = [(id, life) for id, life in self._lives.items() if life.fades_sample > position]
            self._lives.clear()
        self.transforms.silence()
        for call in self._panic_calls:
            call(position / self.clock.rate)
        for id, life in silenced:
            seconds, at_sample = self._time_of_change(life, position / self.clock.rate, life.amended_sample)
            self._tell_sinks([SoundingEnd(id, End(id, seconds), at_sample, life.origin)])

    def pause(self) -> None:
        """The stream stands still: from now on events are refused and counted (``events_unplayed``).

        Nobody empties the command ring then, and what is played would come all at once later. What is turned
        meanwhile is kept for :meth:`resume`.
        """
        with self._lock:
            self._sender.paused = True

    def resume(self) -> bool:
        """The stream goes on: silence first, then controls as they stand.

        Returns:
            False if the engine did not take that in time; it may sound as it did before.
        """
        with self._lock:
            self._sender.paused = False
            self._sender.owe(commands.panic())
            for place, name in enumerate(ENGINE_PARAMETERS):
                self._sender.owe(commands.control(place, gain_from_db(self._controls[name])))
            self._send_input()
            taken = self._sender.settle_within(_RESUME_SECONDS)
        self._after_panic()
        return taken

    # -- phrases

    def play_phrase(self, pitch: int, velocity: int, style: str) -> None:
        """Play a backing phrase of ``style`` on ``pitch``.

        Raises:
            ValueError: pitch or velocity is outside 0 to 127.
        """
        for name, value in (("pitch", pitch), ("velocity", velocity)):
            if not 0 <= value <= 127:
                raise ValueError(f"{name} is {value}; the range is 0 to 127")
        if self._play_phrase is not None:
            self._play_phrase(pitch, velocity, style)

    def start_slot(
        self, slot: int, at_sample: int, loops: bool, gain: float = 1.0, joins: bool = False
    ) -> bool:
        """Play a filled phrase slot; ``joins`` where it takes over from another that is stopped then.

        Returns:
            False for lack of room among the commands (counted).
        """
        with self._lock:
            return self._sender.send(commands.start_phrase(slot, at_sample, loops, gain, joins))

    def stop_slot(self, slot: int, at_sample: int) -> None:
        """Fade a phrase slot out."""
        with self._lock:
            self._sender.owe(commands.stop_phrase(slot, at_sample))

    # -- controls

    def set_control(self, name: str, value: float) -> None:
        """Turn a control of the parameter table; a value beyond its range lands on the end.

        What sounds follows, with the next :meth:`send_expressions`.

        Raises:
            ValueError: there is no such control, or the value is not finite.
        """
        value = _checked(name, value)
        with self._lock:
            self._turn(name, value)
            if name in SHAPING_CONTROLS:
                for _, life in self._lives.items():
                    life.moved = life.moved or life.controls is None
                self.moved.set()

    def recall_controls(self, values: Mapping[str, float]) -> None:
        """Turn controls as another patch says: what sounds keeps those that shape it, to its end.

        Raises:
            ValueError: as :meth:`set_control`; nothing is turned.
        """
        values = {name: _checked(name, value) for name, value in values.items()}
        with self._lock:
            kept = {name: self._controls[name] for name in SHAPING_CONTROLS}
            for _, life in self._lives.items():
                life.controls = life.controls or kept
            for name, value in values.items():
                self._turn(name, value)

    def _turn(self, name: str, value: float) -> None:
        """Set a control and tell the engine; with the lock."""
        changed = self._controls[name] != value
        self._controls[name] = value
        if name in ENGINE_PARAMETERS:
            self._sender.owe(commands.control(ENGINE_PARAMETERS.index(name), gain_from_db(value)))
        if changed:
            self._tell_watchers("control", name, value)

    def _tell_watchers(self, kind: str, name: str, value: float | str) -> None:
        for watcher in self._watchers:
            watcher(kind, name, value)

    def change_transforms(self, settings: Sequence[TransformSettings]) -> None:
        """Do this to events to come; what sounds keeps what was done to it."""
        self.transforms.change(settings)

    def set_transform(self, name: str, field: str, value: float) -> None:
        """Turn a value of a transform, see :meth:`struck.codec.transforms.chain.EventChain.turn`.

        Raises:
            ValueError: there is none, or the value is out of its range.
        """
        self.transforms.turn(name, field, value)
        with self._lock:
            self._tell_watchers("transform", f"{name}/{field}", value)

    def transform(self, name: str) -> Link:
        """One of the transforms at work.

        Raises:
            ValueError: there is none of that name.
        """
        return self.transforms.link(name)

    def living(self, at_seconds: float) -> list[tuple[int, Event]]:
        """Ids of the events that sound at a stream time, and the events as they are."""
        at_sample = at_seconds * self.clock.rate
        with self._lock:
            return [
                (id, life.sounding)
                for id, life in self._lives.items()
                if life.onset_sample <= at_sample < life.fades_sample
            ]

    def let_go(self, id: int, at_seconds: float, release_seconds: float | None) -> None:
        """End an event, in this time or as its own ``release`` says; for :attr:`transforms`."""
        if release_seconds is not None and self.sounds(id):
            self._amend(id, at_seconds, {"release": release_seconds})
        with self._lock:
            known = self._lives.get(id) is not None
        if known:
            self._end(id, at_seconds)

    def play_as_it_is(self, event: Event) -> SoundingEvent | None:
        """Play an event that neither transforms nor controls change; for :attr:`transforms`."""
        return self._play(event, same, "held", controls=_PLAIN_CONTROLS)

    def choose_input(self, weights: Sequence[float], width: float) -> None:
        """Say what of the input is heard, and played as the dry sound.

        Args:
            weights: of each of the input's channels.
            width: share of the channels themselves in the dry sound, 0 to 1; the rest is what is heard.
        """
        with self._lock:
            self._input = (width, *weights)
            self._send_input()

    def _send_input(self) -> None:
        for place, factor in enumerate(self._input, WIDTH):
            self._sender.owe(commands.control(place, factor))

    def controls(self) -> dict[str, float]:
        """Where all controls stand."""
        return dict(self._controls)

    def set_insert(self, insert: str, parameter: str, value: float) -> None:
        """Set a parameter of an insert.

        Raises:
            ValueError: there is no such insert or parameter, or the value is out of its range.
        """
        if self._set_insert is not None:
            self._set_insert(insert, parameter, value)
            with self._lock:
                self._tell_watchers("insert", f"{insert}/{parameter}", value)

    def hand_over_learning(self, learn: Callable[[str], None], unlearn: Callable[[str], None]) -> None:
        """Say who carries out :meth:`learn` and :meth:`unlearn`."""
        self._learn, self._unlearn = learn, unlearn

    def learn(self, target: str) -> None:
        """Let the next controller that is moved turn ``target``; "" learns no more.

        Raises:
            StruckError: there is no such target, or no controller.
        """
        if self._learn is not None:
            self._learn(target)

    def unlearn(self, target: str) -> None:
        """Let no controller turn ``target`` any more."""
        if self._unlearn is not None:
            self._unlearn(target)

    def do(self, name: str, value: float) -> None:
        """Turn a target of :mod:`struck.realtime.mapping.targets`, or do what it says.

        Raises:
            ValueError: there is none, or the value is out of its range.
        """
        if self._do is not None:
            self._do(name, value)

    def load_patch(self, name: str) -> None:
        """Change to the patch ``name``.

        Raises:
            StruckError: it is not known, or broken.
        """
        if self._load_patch is not None:
            self._load_patch(name)

    def hand_over_asking(self, ask_patch: Callable[[str], None]) -> None:
        """Say who carries out :meth:`ask_patch`."""
        self._ask_patch = ask_patch

    def ask_patch(self, name: str) -> None:
        """Change to the patch ``name`` soon; of several that are asked for meanwhile the last counts.

        Raises:
            StruckError: it is not known, or broken.
        """
        if self._ask_patch is None:
            self.load_patch(name)
        else:
            self._ask_patch(name)

    def save_patch(self, name: str) -> None:
        """Save the patch as it is played now, as ``name``; empty: where it came from.

        Raises:
            StruckError: it cannot be saved there.
        """
        if self._save_patch is not None:
            self._save_patch(name)

    def note_patch(self, name: str) -> None:
        """The patch ``name`` is loaded."""
        with self._lock:
            self._patch = name
            self._tell_watchers("patch", "", name)

    def patch(self) -> str:
        """Name of the patch that is loaded."""
        return self._patch

    # -- counters

    def count(self, counter: str, number: int = 1) -> None:
        """Add to a counter that :meth:`counts` shows."""
        with self._count_lock:
            self._counts[counter] += number

    def counts(self) -> dict[str, int]:
        """All counters by name, up to what the engine has told by now."""
        self.attend()
        with self._count_lock:
            return dict(self._counts)

    def stats(self) -> dict[str, int | float]:
        """All that is known of the performance now, by names with units."""
        return self._stats()

    # --

    def _make_record(self, event: Event) -> np.ndarray:
        """The event's voice record; of what was played lately, a note say, the one that was made then."""
        sound = (event.gain_db, event.vector.tobytes())
        record = self._made.get(sound)
        if record is None:
            if len(self._made) >= _RECORDS_KEPT:
                self._made.clear()
            record = self._made[sound] = self._records.make([event])[0]
        return record

    def _count_outcome(self, outcome: Outcome) -> None:
        if outcome.sounding is not None and outcome.what in ("sounded", "late"):
            self.count(f"events_{outcome.sounding.origin}")

    def _as_in_take(self, event: Event) -> Event:
        """``event`` as a take can hold it."""
        return event if self._exact else restore_events(quantize_events([event]))[0]


def _checked(name: str, value: float) -> float:
    if name not in PARAMETER:
        raise ValueError(f"no control is called {name}; they are {', '.join(PARAMETER)}")
    return PARAMETER[name].check(value)
