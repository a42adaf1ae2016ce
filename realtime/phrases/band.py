"""The accompaniment of a performance: bank, worker, accompanist, and a thread that keeps time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ...codec.events.beat_line import BeatLine
from ...codec.events.events import Event
from ...codec.weights.codec_weights import default_codec_weights_path
from ...models.mars.conditions import TEMPO_RANGE_BPM, PhraseConditions
from ...models.mars_extra import require_torch
from ...patches.patch import Patch
from ...patches.phrase_patch import PhrasePatch
from ..engine.state import POSITION, EngineState
from ..midi.note_sounds import HIGHEST_NOTE, LOWEST_NOTE, NoteTemplates
from ..stage.stage import Stage
from ..tempo.leader import ClockState, Leader
from .bank import PhraseBank
from .beats import Beats
from .player import Accompanist
from .process_client import ProcessMaker, thread_count
from .slots import PhraseSlots
from .wire import Job
from .worker import PhraseMaker, PhraseWorker

#: The longest that the thread sleeps while notes are held, and while there is nothing to do.
_BUSY_SECONDS: Final = 0.1
_IDLE_SECONDS: Final = 1.0
_LEAST_SECONDS: Final = 0.001
#: Phrases are made anew where the clock's tempo is so far from theirs: 20 ms in a pass of 4 s.
_SAME_TEMPO: Final = 0.005


@dataclass(frozen=True)
class BandSettings:
    """A performance's options for phrases, over the patch's.

    Args:
        device: where they are made: ``auto``, ``cpu`` or ``cuda``; None makes none.
        weights: MARS' weights; None takes those shipped.
        tempo_bpm: None takes the patch's.
        as_events: they are heard by the codec, and their events are played.
    """

    device: str | None
    weights: Path | None
    tempo_bpm: float | None
    as_events: bool


class Accompaniment:
    """Plays notes as phrases.

    Args:
        settings: the performance's options for phrases.
        patch: whose phrases are played.
        state: the engine's.
        stage: where they sound.
        notes: what stand-ins sound like.
        reserved: phrase slots that are others'.
        maker: makes the phrases; None starts a process for that.
        clock: leads once it is locked; None: the tempo is the patch's.
    """

    def __init__(
        self,
        settings: BandSettings,
        patch: Patch,
        state: EngineState,
        stage: Stage,
        notes: NoteTemplates,
        reserved: tuple[int, ...] = (),
        maker: PhraseMaker | None = None,
        clock: Leader | None = None,
    ) -> None:
        if maker is None and settings.device is not None and patch.phrases.channel:
            require_torch(f"a patch with phrases ({patch.name})")
        self._settings, self._state, self._stage, self._notes = settings, state, stage, notes
        self._clock = clock
        self._grid = 0  # counts grids whose beats are not to be compared
        self._led_song: int | None = None
        self._led_bpm: float | None = None  # for which phrases are made while a clock leads
        self._patch = self._with_options(patch.phrases)
        self._tell_leader(patch.phrases)
        job = Job(
            rate=stage.clock.rate,
            weights="" if settings.weights is None else str(settings.weights),
            device=settings.device or "auto",
            threads=thread_count(),
            codec_weights=str(default_codec_weights_path()),
        )
        self._maker = ProcessMaker(job, stage.tell) if maker is None else maker
        self.bank = PhraseBank()
        self.worker = PhraseWorker(
            self._maker,
            self.bank,
            lambda key: self._accompanist.wake.set(),
            lambda: self._accompanist.likely(),
            stage.tell,
            stage.count,
        )
        if settings.device is None:
            self.worker.turn_off()
        self._beats = self._make_beats(self._patch, 0)
        self._accompanist = Accompanist(
            stage,
            PhraseSlots(state, stage, reserved),
            self.bank,
            self.worker,
            self._patch,
            self._beats,
            self._note,
        )
        stage.add_panic(lambda at_seconds: self._accompanist.panic())
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="accompanist", daemon=True)
        if self._patch.channel:
            # Before the device plays: to start a process may hold up this one.
            self.worker.begin()

    @property
    def channel(self) -> int | None:
        """MIDI channel 0 to 15 whose notes are phrases."""
        return self._patch.channel - 1 if self._patch.channel else None

    def start(self) -> None:
        """Keep time from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what sounds is the engine's to end."""
        self._closed = True
        self._accompanist.wake.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        self.worker.close()

    def change_patch(self, patch: Patch, notes: NoteTemplates) -> None:
        """Play notes to come as ``patch`` says, from the next bar in its tempo."""
        self._notes = notes
        phrases = self._with_options(patch.phrases)
        position = int(self._state.numbers[POSITION])
        same = (phrases.tempo_bpm, phrases.beats_per_bar)
        if same != (self._patch.tempo_bpm, self._patch.beats_per_bar):
            self._beats = self._make_beats(phrases, self._beats.next_bar(position))
            self._grid += 1
        self._patch = phrases
        self._tell_leader(patch.phrases)
        # A clock that leads makes another grid of these beats before anything goes by them.
        self._accompanist.change(phrases, self._beats, self._note)
        if phrases.channel:
            self.worker.begin()

    # -- notes, from any thread

    def note_on(self, at_sample: int, pitch: int, velocity: int) -> None:
        """A key of the phrase channel goes down."""
        self._accompanist.note_on(at_sample, pitch, velocity)

    def note_off(self, at_sample: int, pitch: int) -> None:
        """A key of the phrase channel goes up."""
        self._accompanist.note_off(at_sample, pitch)

    def release_all(self, at_sample: int) -> None:
        """All keys go up, latched or not."""
        self._accompanist.release_all(at_sample)

    def play(self, pitch: int, velocity: int, style: str) -> None:
        """Play a phrase until velocity 0 comes for the same pitch and style; an empty style is the patch's.

        Raises:
            ValueError: there is no such style.
        """
        style = PhraseConditions(style=style).style if style else ""
        at_sample = self._stage.clock.position_samples()
        if velocity > 0:
            self._accompanist.note_on(at_sample, pitch, velocity, style)
        else:
            self._accompanist.note_off(at_sample, pitch, style, held=False)

    def stats(self) -> dict[str, int | float]:
        """Figures by name, for the summary and OSC."""
        worker = self.worker
        return {
            "phrases_kept": len(self.bank),
            "phrases_kept_bytes": self.bank.byte_count,
            "phrases_made": worker.made_count,
            "phrases_waiting": worker.waiting_count,
            "phrase_longest_seconds": worker.longest_seconds,
            "tempo_bpm": self._beats.tempo_bpm(self._stage.clock.rate),
        }

    def line(self) -> BeatLine:
        """Beats against stream seconds, as they are known now; for events that count in beats."""
        beats, rate = self._beats, self._stage.clock.rate
        beat_seconds = beats.loop_samples / beats.loop_beats / rate
        return BeatLine(beats.origin_sample / rate, 0.0, beat_seconds, self._grid)

    def own_beats(self) -> Beats | None:
        """The grid of the own tempo; None while a clock leads, or has led and is to come back."""
        gone = self._clock is None or self._clock.state(time.perf_counter()) is ClockState.OFF
        return self._beats if self._led_bpm is None or gone else None

    @property
    def busy_seconds(self) -> float:
        """Processor time that making phrases has taken, here or in its process."""
        return getattr(self._maker, "busy_seconds", 0.0)

    def describe(self) -> str:
        """In a few words, for the screen; empty where no phrases are played."""
        if self.worker.state in ("asleep", "off"):
            return ""
        tempo = f"{self._led_bpm or self._patch.tempo_bpm:g} bpm"
        return f"phrases {self.worker.state}, {len(self.bank)} kept, {tempo}"

    # -- time

    def advance(self) -> int | None:
        """Do what is due now; the stream sample at which more will be."""
        # The engine may be ahead of the time by the blocks that it has computed.
        position = max(self._stage.clock.position_samples(), int(self._state.numbers[POSITION]))
        self._follow_clock(position)
        return self._accompanist.advance(position)

    def _follow_clock(self, position: int) -> None:
        """Let a clock lead, if there is one in a tempo that phrases can have; else all goes on as it did."""
        line = None if self._clock is None else self._clock.line()
        low_bpm, high_bpm = TEMPO_RANGE_BPM
        if line is None or not low_bpm <= line.tempo_bpm <= high_bpm:
            return
        if self._led_bpm is None or abs(line.tempo_bpm / self._led_bpm - 1.0) > _SAME_TEMPO:
            self._led_bpm = round(line.tempo_bpm, 1)
        if line.song != self._led_song:
            self._led_song = line.song
            self._grid += 1
        now = time.perf_counter()
        self._beats = Beats.of_line(
            self._stage.clock.rate,
            line,
            now,
            self._stage.clock.sample_at(now),
            PhraseConditions(tempo_bpm=self._led_bpm).beats,
            self._patch.beats_per_bar,
        )
        self._accompanist.follow(self._beats, self._led_bpm, line.song, position)

    def _run(self) -> None:
        wake = self._accompanist.wake
        while not self._closed:
            wake.clear()
            try:
                due = self.advance()
            except Exception as error:  # a note that is lost must not end the show
                self._stage.count("phrases_failed")
                self._stage.tell(f"a phrase failed: {type(error).__name__}: {error}")
                self._accompanist.release_all(0)
                due = None
            if due is None:
                wake.wait(_IDLE_SECONDS)
            else:
                seconds = self._stage.clock.monotonic_at(due) - time.perf_counter()
                wake.wait(max(_LEAST_SECONDS, min(_BUSY_SECONDS, seconds)))

    def _note(self, pitch: int, velocity: int, onset_seconds: float) -> Event | None:
        if not LOWEST_NOTE <= pitch <= HIGHEST_NOTE:
            self._stage.count("midi_out_of_range")
            return None
        return self._notes.event(pitch, velocity, None, onset_seconds)

    def _with_options(self, phrases: PhrasePatch) -> PhrasePatch:
        s = self._settings
        tempo_bpm = s.tempo_bpm if self._led_bpm is None else self._led_bpm
        if tempo_bpm is not None:
            phrases = replace(phrases, tempo_bpm=tempo_bpm)
        return replace(phrases, as_events=True) if s.as_events else phrases

    def _tell_leader(self, phrases: PhrasePatch) -> None:
        """What of the patch matters to who leads."""
        if self._clock is not None:
            self._clock.beats_per_bar = phrases.beats_per_bar
            self._clock.propose(self._settings.tempo_bpm or phrases.tempo_bpm)

    def _make_beats(self, patch: PhrasePatch, origin_sample: int) -> Beats:
        return Beats.of_tempo(self._stage.clock.rate, patch.tempo_bpm, patch.beats_per_bar, origin_sample)
