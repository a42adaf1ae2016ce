"""MIDI messages to what they do on the stage: notes, their expression, pedals, controls, programs, panic.

A note sounds one block after it arrived, never sooner and never later, as long as it is understood within a
block: jitter would be heard, a fixed millisecond is not. Its onset is then moved up to the next sample at
:data:`struck.codec.events.event_spec.ANALYSIS_RATE`, at most 45 us, because a take stores onsets as such
samples: what was played live is what the take plays again, sample by sample. Vectors and gains are at the
levels of a take for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple, Protocol, TypeVar

from ...codec.events.errors import StruckError
from ...codec.events.event_spec import ANALYSIS_RATE
from ...codec.events.events import Event
from ...codec.takes.mpe import BRIGHTNESS_CONTROL, control_to_tilt
from ..stage.shaping import PLAIN, Expression
from ..stage.token_bucket import TokenBucket
from .channels import DATA_ENTRY, DATA_ENTRY_FINE, LOWER_MASTER, NO_PARAMETER, MidiChannels
from .note_sounds import HIGHEST_NOTE, LOWEST_NOTE, NoteSettings, NoteTemplates
from .parser import parse

#: Notes that may start per second on average, and at once. The engine has fewer voices than that.
NOTES_PER_SECOND: Final = 2_000.0
NOTES_AT_ONCE: Final = 256

#: Controllers with a meaning of their own; the rest go to the table of parameters.
BANK_COARSE, BANK_FINE = 0, 32
SUSTAIN: Final = 64
RPN_FINE, RPN_COARSE, NRPN_FINE, NRPN_COARSE = 100, 101, 98, 99
ALL_SOUND_OFF: Final = 120
RESET_CONTROLLERS: Final = 121
ALL_NOTES_OFF: Final = 123  # and 124 to 127, which change modes that do not exist here

_SYSTEM_RESET: Final = 0xFF
#: Song position, clock, start, continue, stop.
_CLOCK: Final = frozenset((0xF2, 0xF8, 0xFA, 0xFB, 0xFC))


class Clock(Protocol):
    """Of :class:`StreamClock` what notes need."""

    rate: int
    block_frames: int

    def sample_at(self, monotonic_seconds: float) -> int: ...


class Sounding(Protocol):
    """Of :class:`SoundingEvent` what notes need."""

    @property
    def id(self) -> int: ...
    @property
    def at_sample(self) -> int: ...


class NoteStage(Protocol):
    """Of :class:`Stage` what MIDI plays on."""

    def play(self, event: Event, origin: str, expression: Expression = PLAIN) -> Sounding | None: ...
    def end(self, id: int, at_seconds: float) -> None: ...
    def express(self, id: int, expression: Expression) -> None: ...
    def panic(self) -> None: ...
    def count(self, counter: str, number: int = 1) -> None: ...
    def tell(self, line: str) -> None: ...


class ControlStage(Protocol):
    """Of :class:`Stage` what controllers move."""

    def set_control(self, name: str, value: float) -> None: ...


class ControlledParameter(Protocol):
    """Of :class:`Parameter` what a controller needs."""

    @property
    def name(self) -> str: ...
    @property
    def control(self) -> int | None: ...


class PhraseKeys(Protocol):
    """Of :class:`~struck.realtime.phrases.band.Accompaniment` what keys play."""

    @property
    def channel(self) -> int | None: ...
    def note_on(self, at_sample: int, pitch: int, velocity: int) -> None: ...
    def note_off(self, at_sample: int, pitch: int) -> None: ...
    def release_all(self, at_sample: int) -> None: ...


P = TypeVar("P", bound=ControlledParameter)


def map_controls(
    stage: ControlStage, parameters: Iterable[P], from_control: Callable[[P, int], float]
) -> dict[int, Callable[[int], None]]:
    """By controller number, what sets the parameter of that ``control`` from a value 0 to 127."""

    def setter(parameter: P) -> Callable[[int], None]:
        return lambda value: stage.set_control(parameter.name, from_control(parameter, value))

    return {parameter.control: setter(parameter) for parameter in parameters if parameter.control is not None}


class _Note(NamedTuple):
    """A note that sounds: who began it says how it ends, also after a change of patch."""

    id: int  # of its event
    onset_sample: int
    notes: NoteSettings  # that it began with
    expression: Expression


class NotePlayer:
    """Plays what comes from one MIDI input; used from that input's thread alone.

    Args:
        stage: where notes sound. Counts ``midi_messages``; ``midi_rejected``, bytes that are no message;
            ``midi_dropped``, notes of a flood, or the same note twice at once; ``midi_out_of_range``, notes
            too low or high to sound; ``midi_clock``, clock, start, continue, stop, song position.
        clock: of the stream.
        notes: what a note sounds like.
        controls: by controller number, called with 0 to 127; see :func:`map_controls`.
        on_program: called with a bank, 0 to 16,383, and a program number 0 to 127.
        on_clock: called with the arrival in monotonic seconds and the message: clock, start, continue, stop,
            song position.
        on_midi: called with every valid message and the stream position at which it takes effect.
        phrases: plays the notes of its channel.
        on_control: called with every message of a channel; if it returns True, a map has it, and it plays and
            turns nothing here; but what ends a note always does.
        refuses: asked with the arrival in monotonic seconds and every message; if it returns True, nobody is
            to hear it.
    """

    def __init__(
        self,
        stage: NoteStage,
        clock: Clock,
        notes: NoteSettings,
        *,
        controls: Mapping[int, Callable[[int], None]] | None = None,
        on_program: Callable[[int, int], None] | None = None,
        on_clock: Callable[[float, bytes], None] | None = None,
        on_midi: Callable[[int, bytes], None] | None = None,
        phrases: PhraseKeys | None = None,
        on_control: Callable[[bytes], bool] | None = None,
        refuses: Callable[[float, bytes], bool] = lambda arrival_seconds, message: False,
    ) -> None:
        self._stage, self._clock, self._on_control = stage, clock, on_control
        self._phrases = phrases
        self._controls = dict(controls or {})
        self._on_program, self._on_clock, self._on_midi = on_program, on_clock, on_midi
        self._refuses = refuses
        self._channels = MidiChannels(self._bend, notes.bend_range_semitones)
        self._sounding: dict[int, _Note] = {}  # by 1 + 128 * channel + note, until it is released
        self._phrase_notes: set[tuple[int, int]] = set()  # channel and note of the keys held for phrases
        self._phrase_channels: set[int] = set()  # whose phrases may sound: a latched one is held by no key
        self._bucket = TokenBucket(NOTES_PER_SECOND, NOTES_AT_ONCE)
        self.set_notes(notes)
        if notes.mpe:
            self._channels.configure_zone(LOWER_MASTER, 15)

    def set_notes(self, notes: NoteSettings) -> None:
        """Another sound for the notes to come, such as another patch's; bends, pedals and zones stay."""
        # One reference is exchanged, so a note on the input's thread sees the old or the new sound, whole.
        self._templates = NoteTemplates(notes)

    def receive(self, arrival_seconds: float, data: bytes) -> None:
        """Do what the message in ``data`` says; ``arrival_seconds`` are those of ``time.perf_counter()``.

        Never raises, whatever the bytes.
        """
        messages, rejected = parse(data)
        if rejected:
            self._stage.count("midi_rejected", rejected)
        for message in messages:
            if message[0] == 0xFE:  # active sensing says only that the cable is there
                continue
            self._stage.count("midi_messages")
            if self._refuses(arrival_seconds, message):
                continue
            at_sample = max(0, self._clock.sample_at(arrival_seconds) + self._clock.block_frames)
            if self._on_midi:
                self._on_midi(at_sample, message)
            try:
                if not self._is_mapped(message):
                    self._perform(arrival_seconds, at_sample, message)
            except (StruckError, ValueError) as error:
                self._stage.tell(f"MIDI: {error}")

    def _is_mapped(self, message: bytes) -> bool:
        if self._on_control is None or message[0] >= 0xF0:
            return False
        mapped = self._on_control(message)
        ends = message[0] & 0xF0 == 0x80 or (message[0] & 0xF0 == 0x90 and not message[2])
        return mapped and not ends

    def release_all(self) -> None:
        """End all notes: their sender is gone, and their note-offs with it."""
        at_sample = max((note.onset_sample for note in self._sounding.values()), default=0) + 1
        for key in list(self._sounding):
            self._release(key, at_sample)
        for channel in self._channels:
            channel.pedal = False
        self._phrase_notes.clear()
        self._phrase_channels.clear()
        if self._phrases is not None:
            self._phrases.release_all(at_sample)

    def _perform(self, arrival_seconds: float, at_sample: int, message: bytes) -> None:
        status = message[0]
        if status >= 0xF0:
            if status in _CLOCK:
                self._stage.count("midi_clock")
                if self._on_clock:
                    self._on_clock(arrival_seconds, message)
            elif status == _SYSTEM_RESET:
                self._panic()
            return
        number = status & 0x0F
        kind = status & 0xF0
        if kind in (0x80, 0x90) and not (kind == 0x90 and message[2]):
            self._end_note(at_sample, number, message[1])
        elif kind == 0xB0 and self._ends_something(number, message[1], message[2]):
            self._control(at_sample, number, message[1], message[2])
        elif kind == 0x90 and self._phrases is not None and number == self._phrases.channel:
            self._begin_phrase(self._phrases, arrival_seconds, at_sample, number, message[1], message[2])
        elif number not in self._templates.notes.channels:
            return
        elif kind == 0x90:
            self._note_on(arrival_seconds, at_sample, number, message[1], message[2])
        elif kind == 0xB0:
            self._control(at_sample, number, message[1], message[2])
        elif kind == 0xC0 and self._on_program:
            self._on_program(self._channels[number].bank, message[1])
        elif kind == 0xD0:
            self._press(number, message[1])
        elif kind == 0xA0 and 1 + 128 * number + message[1] in self._sounding:
            self._press_key(1 + 128 * number + message[1], message[2])
        elif kind == 0xE0:
            self._channels.turn_wheel(number, (message[1] | message[2] << 7) - 8192)

    def _ends_something(self, number: int, control: int, value: int) -> bool:
        """Whether a controller ends what sounds or lifts a pedal; then no filter of channels stands before
        it: what it ends may have begun in another patch."""
        if control == ALL_SOUND_OFF or control >= ALL_NOTES_OFF:
            return True
        lifts = control == RESET_CONTROLLERS or (control == SUSTAIN and value < 64)
        return lifts and self._channels[number].pedal

    def _begin_phrase(
        self,
        phrases: PhraseKeys,
        arrival_seconds: float,
        at_sample: int,
        number: int,
        note: int,
        velocity: int,
    ) -> None:
        if not self._bucket.take(arrival_seconds):
            self._stage.count("midi_dropped")
            return
        self._phrase_notes.add((number, note))
        self._phrase_channels.add(number)
        phrases.note_on(at_sample, note, velocity)

    def _end_note(self, at_sample: int, number: int, note: int) -> None:
        """A key goes up: what it began ends, whatever it would begin now."""
        if self._phrases is not None and (number, note) in self._phrase_notes:
            self._phrase_notes.discard((number, note))
            self._phrases.note_off(at_sample, note)
        self._note_off(at_sample, number, note)

    # ---- notes ---------------------------------------------------------------------------------------

    def _note_on(self, arrival_seconds: float, at_sample: int, number: int, note: int, velocity: int) -> None:
        if not LOWEST_NOTE <= note <= HIGHEST_NOTE:
            self._stage.count("midi_out_of_range")
            return
        if not self._bucket.take(arrival_seconds):
            self._stage.count("midi_dropped")
            return
        channel = self._channels[number]
        brightness = channel.brightness if channel.master is not None else None
        rate = self._clock.rate
        grid = -(-at_sample * ANALYSIS_RATE // rate)
        event = self._templates.event(note, velocity, brightness, grid / ANALYSIS_RATE)
        key = 1 + 128 * number + note
        if key in self._sounding:
            onset_sample = event.onset_sample(rate)
            # twice at once is one note; no release could tell them apart
            if self._sounding[key].onset_sample >= onset_sample:
                self._stage.count("midi_dropped")
                return
            self._release(key, onset_sample)
        notes = self._templates.notes
        expression = notes.express(self._channels.bend_semitones(number), self._channels.pressure(number))
        sounding = self._stage.play(event, "midi", expression)
        if sounding is not None:
            self._sounding[key] = _Note(sounding.id, sounding.at_sample, notes, expression)

    def _note_off(self, at_sample: int, number: int, note: int) -> None:
        key = 1 + 128 * number + note
        if key not in self._sounding or not self._sounding[key].notes.release:
            return
        if self._channels.pedal(number):
            self._channels[number].deferred.add(key)
        else:
            self._release(key, at_sample)

    def _release(self, key: int, at_sample: int) -> None:
        # later than the onset, which was moved up to the grid: else a very short note would ring on
        note = self._sounding.pop(key)
        self._channels[(key - 1) // 128].deferred.discard(key)
        self._stage.end(note.id, max(at_sample, note.onset_sample + 1) / self._clock.rate)

    # ---- expression ----------------------------------------------------------------------------------

    def _bend(self, number: int, semitones: float) -> None:
        for key in self._keys(number):
            self._express(key, bend_semitones=semitones)

    def _press(self, number: int, pressure: int) -> None:
        """Pressure on a whole channel, and if it is a zone's master on its members, beside their own."""
        self._channels[number].pressure = pressure
        for member in self._channels.zone(number):
            for key in self._keys(member):
                self._press_key(key, self._channels.pressure(member))

    def _press_key(self, key: int, pressure: int) -> None:
        pressed = self._sounding[key].notes.express(0.0, pressure)
        self._express(key, level_db=pressed.level_db, brightness_db=pressed.brightness_db)

    def _express(self, key: int, **changes: float) -> None:
        note = self._sounding[key]
        note = note._replace(expression=replace(note.expression, **changes))
        self._sounding[key] = note
        self._stage.express(note.id, note.expression)

    def _keys(self, number: int) -> list[int]:
        """Keys of the notes that sound on a channel."""
        return [key for key in self._sounding if (key - 1) // 128 == number]

    def _control(self, at_sample: int, number: int, control: int, value: int) -> None:
        channel = self._channels[number]
        if control == SUSTAIN:
            self._set_pedal(at_sample, number, value >= 64)
        elif control >= ALL_NOTES_OFF:
            if self._phrases is not None and number in self._phrase_channels | {self._phrases.channel}:
                self._phrase_channels.discard(number)
                self._phrases.release_all(at_sample)
            for member in self._channels.zone(number):
                for key in self._keys(member):
                    self._release(key, at_sample)
        elif control == ALL_SOUND_OFF:
            self._panic()
        elif control == RESET_CONTROLLERS:
            self._set_pedal(at_sample, number, False)
            channel.bend_unit, channel.parameter, channel.brightness = 0.0, NO_PARAMETER, None
            self._channels.send_bend(number)
            self._press(number, 0)
        elif control == BRIGHTNESS_CONTROL and channel.master is not None:
            channel.brightness = value
            for key in self._keys(number):
                self._express(key, tilt=control_to_tilt(value))
        elif control == BANK_COARSE:
            channel.bank = value << 7 | channel.bank & 127
        elif control == BANK_FINE:
            channel.bank = channel.bank & ~127 | value
        elif control == RPN_COARSE:
            channel.parameter = (value, channel.parameter[1])
        elif control == RPN_FINE:
            channel.parameter = (channel.parameter[0], value)
        elif control in (NRPN_COARSE, NRPN_FINE):
            channel.parameter = NO_PARAMETER  # the data that follow are for something else
        elif control in (DATA_ENTRY, DATA_ENTRY_FINE) and channel.parameter != NO_PARAMETER:
            self._channels.set_parameter(number, control, value)
        elif control in self._controls:
            self._controls[control](value)

    def _set_pedal(self, at_sample: int, number: int, down: bool) -> None:
        for member in self._channels.zone(number):
            self._channels[member].pedal = down
            if not down:
                for key in list(self._channels[member].deferred):
                    self._release(key, at_sample)

    def _panic(self) -> None:
        self._sounding.clear()
        self._phrase_notes.clear()
        self._phrase_channels.clear()
        for channel in self._channels:
            channel.pedal = False
            channel.deferred.clear()
        self._stage.panic()
