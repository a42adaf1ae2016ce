"""A performance: all parts of the live host put together, watched over, and taken apart again."""

from __future__ import annotations

import gc
import sys
import time
from contextlib import ExitStack
from typing import Any, Final

import numpy as np

from ..codec.audio_files import AudioReader, AudioWriter, open_audio, read_mono
from ..codec.block import ACTIVE, DROPPED, LATE, PENDING, REJECTED, STOLEN
from ..codec.encoder import StreamingEncoder
from ..codec.errors import StruckError
from ..codec.events import Event
from ..codec.noise import check_rate
from ..codec.part_files import check_destination
from ..codec.profiles import PROFILES
from ..codec.weights import CodecWeights
from ..patches.patch import Patch, load_patch
from .callback import (
    BLOCKS,
    INPUT_OVERFLOWS,
    OUTPUT_UNDERFLOWS,
    CallbackState,
    make_address_table,
    make_callback_state,
    portaudio_callback,
)
from .clock import DeviceClock, FileClock
from .cycles import CycleClock
from .device_driver import DeviceDriver, stream_channels
from .devices import JACK, DeviceChoice, read_devices
from .engine import (
    CAPTURING,
    DAMAGED,
    IN_PEAK,
    IN_POWER,
    OUT_PEAK,
    OUT_POWER,
    POSITION,
    RECORDING,
    STARVED,
    limiter_gain,
    make_engine_state,
    publish_number,
    slot_is_playing,
)
from .feeder import Feeder
from .file_driver import FileDriver
from .ledger import LatencyLedger, make_ledger
from .listener import Listener
from .load import Dropout, LoadMeter
from .messages import Messages
from .parameters import OFF_DB, PARAMETER, PARAMETERS
from .phrase_player import fill_slot
from .pipeline import make_header
from .recorder import TakeRecorder
from .resampler import StreamingResampler
from .rings import LOST, read_frames
from .settings import NONE, LiveSettings
from .sound_recorder import SoundRecorder
from .stage import Stage
from .status import Recording, Status
from .stop import Stop
from .teller import Teller

_WATCH_SECONDS: Final = 0.05
_POLL_SECONDS: Final = 0.5
#: The longest wait for a phrase to end before it is started again.
_RESTART_SECONDS: Final = 0.3
#: Losses of sound are told together, once in this time.
_TELL_SECONDS: Final = 5.0
_DEFAULT_RATE: Final = 48_000
_DEFAULT_BLOCK_FRAMES: Final = 64
#: A device that calls this many of its periods after its last call was late.
_LATE_PERIODS: Final = 2.0
#: In a file's tail, silence this long after the last event is the end.
_QUIET_SECONDS: Final = 1.5
_QUIET_PEAK: Final = 1e-4
#: The slot in which the backing loops.
_BACKING_SLOT: Final = 0
#: A thread that waits for Python's lock gets it after this; notes must not wait Python's usual 5 ms.
_SWITCH_SECONDS: Final = 0.0005


class _Callback:
    """The compiled callback and its state's address, as drivers take them."""

    def __init__(self, state: CallbackState) -> None:
        self._table = make_address_table(state)
        self.pointer: int = portaudio_callback.address
        self.userdata: int = self._table.ctypes.data


class Performance:
    """Opens everything that the settings name, plays, and closes it.

    Nothing sounds and no file is begun before all that can fail has been tried.

    Args:
        settings: what is asked for.
        weights: the codec's.
        teller: takes lines for the performer.

    Raises:
        StruckError: something cannot be had; nothing is left open.
    """

    def __init__(self, settings: LiveSettings, weights: CodecWeights, teller: Teller) -> None:
        self.settings = settings
        self._weights = weights
        self._tell = teller.tell
        self._stack = ExitStack()
        self._closed = False
        self.listener: Listener | None = None
        self._feeder: Feeder | None = None
        self._finished_listener: Listener | None = None
        self._driver: DeviceDriver | None = None
        self._take: TakeRecorder | None = None
        self._sound: SoundRecorder | None = None
        self._reader: AudioReader | None = None
        self._recent: list[tuple[float, int]] = []
        self._dropouts: list[Dropout] = []
        self._told_at = float("-inf")
        self._damaged = 0
        self._damage_told_at = float("-inf")
        self._notes_told = 0
        self._begun = False
        #: What failed for good while the rest went on, one line each.
        self.faults: list[str] = []
        try:
            self._prepare()
        except BaseException as error:
            self.close(error)
            raise

    # -- putting together

    def _prepare(self) -> None:
        s = self.settings
        self.patch = load_patch(s.patch)
        _check_controls(self.patch)
        profile = PROFILES[s.profile or self.patch.profile]
        source, sink = self._choose_devices()
        self.rate = self._choose_rate(source, sink)
        reader = None
        if s.input_file is not None:
            reader = self._stack.enter_context(open_audio(s.input_file, self.rate))
        inputs = max(1, stream_channels(source, "input"))
        outputs = stream_channels(sink, "output") or (1 if s.is_offline else 2)
        self.cycles = CycleClock()
        engine = make_engine_state(self.rate, inputs, outputs)
        self.state = make_callback_state(engine, self.rate, self.cycles.cycles_per_second)
        self._callback = _Callback(self.state)
        self.load = LoadMeter(self.state)
        block_frames = s.block_frames or _DEFAULT_BLOCK_FRAMES
        input_seconds = output_seconds = 0.0
        if source is not None or sink is not None:
            jack = JACK in {device.host for device in (source, sink) if device is not None}
            asked = s.block_frames or (2_048 if jack else _DEFAULT_BLOCK_FRAMES)
            self._driver = DeviceDriver(
                source,
                sink,
                self.rate,
                asked,
                self._callback,
                lambda: int(self.state.stamps[BLOCKS]),
                self._tell,
                self._on_device_lost,
            )
            block_frames = self._driver.block_frames
            self.state.interval_alarm[0] = _LATE_PERIODS * self._driver.period_frames / block_frames
            input_seconds = self._driver.input_latency_seconds
            output_seconds = self._driver.output_latency_seconds
        self.block_frames = block_frames
        self.clock: DeviceClock | FileClock = (
            FileClock(self.state, self.rate, block_frames)
            if self._driver is None
            else DeviceClock(self.state, self.cycles, self.rate, block_frames, output_seconds)
        )
        self.ledger: LatencyLedger = make_ledger(
            profile,
            self.rate,
            block_frames,
            StreamingResampler(self.rate).latency_samples / self.rate,
            s.compute_seconds,
            input_seconds,
            output_seconds,
        )
        self.profile = profile
        self.stage = Stage(engine, self._weights, self.clock, self._tell, s.exact)
        if s.input != NONE:
            self.listener = self._make_listener()
        self.messages = Messages(s, self.stage, self.patch, self.ledger.to_dict)
        self._stack.callback(self.messages.close)
        self.stage.hand_over(self.change_patch, self.messages.play_phrase, self.stats)
        self._apply_controls(self.patch)
        for name, value in s.controls:
            self.stage.set_control(name, value)
        engine.gains[:] = engine.targets  # where the show begins, nothing fades in
        if s.backing is not None:
            self._load_backing()
        self._open_recordings(reader)
        self._reader = reader

    def _choose_devices(self) -> tuple[DeviceChoice | None, DeviceChoice | None]:
        s = self.settings
        if s.is_offline:
            return None, None
        devices = read_devices()
        source = None if s.input_file is not None else devices.find(s.input, "input")
        sink = None if s.output_file is not None else devices.find(s.output, "output")
        return source, sink

    def _choose_rate(self, source: DeviceChoice | None, sink: DeviceChoice | None) -> int:
        if self.settings.rate is not None:
            return self.settings.rate
        device = sink or source
        wanted = _DEFAULT_RATE
        if device is not None:
            wanted = round(device.rate)
        elif self.settings.input_file is not None:
            with open_audio(self.settings.input_file) as reader:
                wanted = reader.source_rate
        try:
            return check_rate(wanted)
        except ValueError:
            return _DEFAULT_RATE

    def _make_listener(self) -> Listener:
        def play(event: Event) -> None:
            self.stage.play(event, "heard")

        return Listener(
            StreamingEncoder(self._weights, self.profile),
            self.state.engine,
            self.rate,
            self.ledger.engine_seconds,
            play,
            self.stage.count,
        )

    def _load_backing(self) -> None:
        assert self.settings.backing is not None
        sound = read_mono(self.settings.backing, self.rate)
        if not fill_slot(self.state.engine.phrases, _BACKING_SLOT, sound):
            limit = self.state.engine.phrases.sound.shape[1] / self.rate
            raise StruckError(
                f"{self.settings.backing} is longer than {limit:.0f} s, the most that backing may be"
            )
        self.stage.start_slot(_BACKING_SLOT, 0, loops=True)

    def _open_recordings(self, reader: AudioReader | None) -> None:
        s = self.settings
        self._writers: list[AudioWriter] = []
        source = s.input if reader is None else reader.path.name
        paths = [path for path in (s.record_audio, s.output_file) if path is not None]
        # An earlier recording must not be replaced by one that never began, because another could not begin.
        for path in paths:
            check_destination(path, live=self._driver is not None)
        if s.record is not None:
            check_destination(s.record, live=True)
        if s.record is not None:
            header = make_header(self._weights, self.profile, source, s.exact)
            take = self._take = TakeRecorder(
                s.record,
                header,
                self._tell,
                self.stage.count,
                lambda: self.state.engine.numbers[POSITION] / self.rate,
            )
            self.stage.add_sink(take.event)
            self.stage.add_panic(lambda at_seconds: take.forget_after(at_seconds))
            self.messages.record(take)
            take.mark(0.0, "start", rate=self.rate, block_frames=self.block_frames, **self.ledger.to_dict())
            take.patch(0.0, self.patch.name, controls=self.stage.controls())
        channels = self.state.sink.shape[1]
        if self._driver is None:
            for path in paths:
                self._writers.append(self._stack.enter_context(AudioWriter(path, self.rate, channels)))
        elif paths:
            ring = self.state.engine.recording
            piece = np.zeros((8_192, channels), np.float32)

            def read() -> np.ndarray:
                return piece[: read_frames(ring, piece)].copy()

            self._sound = SoundRecorder(paths[0], self.rate, channels, read, self._tell, self.stage.count)
            publish_number(self.state.engine.numbers, RECORDING, 1)

    # -- playing

    def run(self, stop: Stop) -> None:
        """Play until the input ends, the time is up, or ``stop`` is set.

        On a device a part that fails is told and noted in :attr:`faults`, and the rest goes on: notes and the
        dry sound do not need the encoder.

        Raises:
            StruckError: from file to file, the output cannot be written.
        """
        self._begun = True
        before = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_SECONDS)
        try:
            if self.listener is not None:
                self.listener.warm_up()
            self.stage.warm_up()
            gc.collect()
            gc.freeze()  # what is there now stays to the end: the collector need not look at it again
            self.messages.start()
            if self._driver is None:
                self._run_file(stop)
            else:
                self._run_device(stop, self._driver)
        finally:
            gc.unfreeze()
            sys.setswitchinterval(before)

    def _run_file(self, stop: Stop) -> None:
        assert self._reader is not None

        def take(block: np.ndarray) -> None:
            for writer in self._writers:
                writer.write(block)

        driver = FileDriver(
            self.state, self._reader, self.block_frames, self.listener, take, self.settings.paced
        )
        driver.run(lambda seconds: not stop.is_set(), self.settings.duration_seconds, self._end_backing)
        self._tell_damage()

    def _run_device(self, stop: Stop, driver: DeviceDriver) -> None:
        assert isinstance(self.clock, DeviceClock)
        if self._reader is not None:
            self._feeder = Feeder(self.state.engine, self._reader)
            self._feeder.start()
        if self.listener is not None:
            self.listener.start()
        driver.start()
        state = driver.state
        polled_at = 0.0
        quiet_since: float | None = None
        while not stop.wait(_WATCH_SECONDS):
            self.clock.observe()
            self._explain_dropouts()
            now = time.monotonic()
            if now - polled_at >= _POLL_SECONDS:
                before, state = state, driver.poll()
                if (before, state) == ("lost", "running"):
                    self._on_device_back(driver)
                self.messages.poll()
                self.cycles.refine()
                polled_at = time.monotonic()
            self._note_faults()
            self._tell_damage()
            seconds = self.position_seconds
            if self.settings.duration_seconds is not None and seconds >= self.settings.duration_seconds:
                break
            if self._feeder is not None and self._feeder.drained:
                quiet_since = self._follow_tail(quiet_since, seconds)
                if quiet_since is not None and seconds - quiet_since >= _QUIET_SECONDS:
                    break

    def _follow_tail(self, quiet_since: float | None, seconds: float) -> float | None:
        """After the file's end: hear its last hop, once; then since when the output has been silent."""
        listener = self.listener
        if listener is not None and listener.stop():
            self._finished_listener, self.listener = listener, None
            if listener.error is None:
                try:
                    listener.finish()
                except Exception as error:
                    self._note_fault("the encoder", error)
        self._end_backing()
        quiet = (
            self.state.engine.levels[OUT_PEAK].max() < _QUIET_PEAK
            and self.state.engine.decoder.numbers[PENDING] == 0
        )
        if not quiet:
            return None
        return seconds if quiet_since is None else quiet_since

    def _end_backing(self) -> None:
        """The backing ends with the input that it plays along with."""
        if slot_is_playing(self.state.engine, _BACKING_SLOT):
            self.stage.stop_slot(_BACKING_SLOT, int(self.state.engine.numbers[POSITION]))

    def _note_faults(self) -> None:
        """Tell of a part that has failed, once; what does not need it goes on."""
        if self.listener is not None and self.listener.error is not None:
            self._note_fault("the encoder", self.listener.error)
            self.state.engine.numbers[CAPTURING] = 0  # nobody listens any more
            self._finished_listener, self.listener = self.listener, None
        if self._feeder is not None and self._feeder.error is not None:
            self._note_fault("the input file", self._feeder.error)

    def _note_fault(self, who: str, error: BaseException) -> None:
        fault = f"{who} failed: {error if isinstance(error, StruckError) else repr(error)}"
        if fault in self.faults:
            return
        self.faults.append(fault)
        self._tell(f"{fault}; the rest goes on")
        if self._take is not None:
            self._take.mark(self.position_seconds, "fault", what=fault)

    def _tell_damage(self) -> None:
        """Tell of samples that were no sound, together every few seconds, and what a file's reader notes."""
        damaged = int(self.state.engine.numbers[DAMAGED])
        now = time.monotonic()
        if damaged > self._damaged and now - self._damage_told_at >= _TELL_SECONDS:
            self._tell(
                f"the input is damaged: {damaged - self._damaged} samples were NaN, infinite or far beyond "
                "full scale, and are silence"
            )
            self._damaged, self._damage_told_at = damaged, now
        if self._reader is not None:
            for note in self._reader.notes[self._notes_told :]:
                self._tell(note)
                self._notes_told += 1

    def _explain_dropouts(self) -> None:
        """Count what the callback reported, mark it in the take, and tell it together every few seconds."""
        block_seconds = self.block_frames / self.rate
        fresh = self.load.dropouts()
        self._dropouts += fresh
        for dropout in fresh:
            self.stage.count("overruns" if dropout.busy_blocks >= 1.0 else "late_calls")
        if fresh and self._take is not None:
            worst = max(fresh, key=_severity)
            at_seconds = fresh[0].position_samples / self.rate
            why = worst.describe(block_seconds)
            self._take.mark(at_seconds, "dropout", what="audio", count=len(fresh), why=why)
        now = time.monotonic()
        if self._dropouts and now - self._told_at >= _TELL_SECONDS:
            worst = max(self._dropouts, key=_severity)
            count = "" if len(self._dropouts) == 1 else f"{len(self._dropouts)} times, at worst "
            self._tell(f"sound may have been lost: {count}{worst.describe(block_seconds)}")
            self._dropouts = []
            self._told_at = now

    def _on_device_lost(self) -> None:
        assert isinstance(self.clock, DeviceClock)
        self.stage.pause()
        self.clock.hold()
        self.messages.poll()
        if self._take is not None:
            self._take.mark(self.position_seconds, "dropout", what="device")

    def _on_device_back(self, driver: DeviceDriver) -> None:
        assert isinstance(self.clock, DeviceClock)
        self.clock.restart()
        self.clock.block_frames = self.block_frames = driver.block_frames
        self.clock.output_latency_seconds = driver.output_latency_seconds
        self.state.interval_alarm[0] = _LATE_PERIODS * driver.period_frames / driver.block_frames
        if not self.stage.resume():
            self._tell("the engine does not take commands; what was played before may still sound")
        if self.settings.backing is not None:
            self._restart_backing()

    def _restart_backing(self) -> None:
        """Play the backing again, from its beginning, once the silence has ended it."""
        end = time.monotonic() + _RESTART_SECONDS
        while slot_is_playing(self.state.engine, _BACKING_SLOT) and time.monotonic() < end:
            time.sleep(0.002)
        self.stage.start_slot(_BACKING_SLOT, 0, loops=True)

    # -- while it plays

    @property
    def position_seconds(self) -> float:
        """Stream time."""
        return float(self.state.engine.numbers[POSITION]) / self.rate

    def change_patch(self, name: str) -> None:
        """Recall a patch: its controls and the sound of its notes. The profile stays.

        Raises:
            StruckError: there is no such patch, or it is broken.
        """
        patch = load_patch(name)
        _check_controls(patch)
        self.patch = patch
        self._apply_controls(patch)
        self.messages.change_patch(patch)
        if self._take is not None:
            self._take.patch(self.position_seconds, patch.name, controls=self.stage.controls())
        if patch.profile != self.profile.name:
            self._tell(
                f"patch {patch.name} is made for the profile {patch.profile}; {self.profile.name} goes on"
            )

    def _apply_controls(self, patch: Patch) -> None:
        for parameter in PARAMETERS:
            self.stage.set_control(parameter.name, patch.controls.get(parameter.name, parameter.default))

    def counters(self) -> dict[str, int]:
        """All faults and events since the start, by name."""
        engine = self.state.engine
        decoder = engine.decoder.numbers
        counts = {
            "late": int(decoder[LATE]),
            "stolen": int(decoder[STOLEN]),
            "dropped": int(decoder[DROPPED]),
            "rejected": int(decoder[REJECTED]),
            "lost_blocks": int(self.state.stamps[INPUT_OVERFLOWS] + self.state.stamps[OUTPUT_UNDERFLOWS]),
            "damaged_samples": int(engine.numbers[DAMAGED])
            + (0 if self._reader is None else self._reader.replaced_count),
            "starved_samples": int(engine.numbers[STARVED]),
            "unheard_samples": int(engine.capture.index[LOST]),
            "unrecorded_samples": int(engine.recording.index[LOST]),
        }
        if self._driver is not None:
            counts |= {name: int(value) for name, value in self._driver.stats().items()}
        for name, number in self.stage.counts().items():
            counts[name] = counts.get(name, 0) + number
        return counts

    def stats(self) -> dict[str, int | float]:
        """Counters, levels and voices by name: what OSC's ``/struck/stats`` tells."""
        engine = self.state.engine
        return {
            **self.counters(),
            "position_seconds": self.position_seconds,
            "voices": int(engine.decoder.numbers[ACTIVE]),
            "input_peak_db": max(OFF_DB, *_to_db(engine.levels[IN_PEAK])),
            "output_peak_db": max(OFF_DB, *_to_db(engine.levels[OUT_PEAK])),
        }

    def status(self) -> Status:
        """What the screen shows; for one caller, as some figures are since the call before."""
        engine = self.state.engine
        now = time.monotonic()
        counts = self.counters()
        events = sum(number for name, number in counts.items() if name in _EVENT_COUNTERS)
        self._recent = [*self._recent[-30:], (now, events)]
        span = now - self._recent[0][0]
        mean, worst = self.load.since_before()
        inputs, outputs = engine.source.shape[1], engine.recording.frames.shape[1]
        return Status(
            position_seconds=self.position_seconds,
            patch=self.patch.name,
            profile=self.profile.name,
            input_name=self.settings.input,
            output_name=self.settings.output,
            rate_hz=self.rate,
            block_frames=self.block_frames,
            input_rms_db=_to_db(np.sqrt(engine.levels[IN_POWER, :inputs])),
            input_peak_db=_to_db(engine.levels[IN_PEAK, :inputs]),
            output_rms_db=_to_db(np.sqrt(engine.levels[OUT_POWER, :outputs])),
            output_peak_db=_to_db(engine.levels[OUT_PEAK, :outputs]),
            limiter_db=20.0 * float(np.log10(limiter_gain(engine))),
            events_per_second=(events - self._recent[0][1]) / span if span > 0.0 else 0.0,
            voices=int(engine.decoder.numbers[ACTIVE]),
            voice_limit=len(engine.decoder.active),
            callback_mean_percent=mean,
            callback_worst_percent=worst,
            worker_percent={"encoder": self._encoder_percent()},
            latency_seconds=self.ledger.total_seconds,
            counters={name: number for name, number in counts.items() if name not in _EVENT_COUNTERS},
            recordings=self._recordings(),
            peers=self.messages.peers(),
        )

    def _encoder_percent(self) -> float:
        listener = self.listener or self._finished_listener
        seconds = self.position_seconds
        return 100.0 * listener.busy_seconds / seconds if listener is not None and seconds else 0.0

    def _recordings(self) -> tuple[Recording, ...]:
        found = []
        for recorder in (self._take, self._sound):
            if recorder is not None:
                dropped = recorder.dropped_count if isinstance(recorder, TakeRecorder) else 0
                found.append(
                    Recording(
                        str(recorder.path),
                        self.position_seconds,
                        recorder.file_bytes,
                        dropped,
                        recorder.failed,
                    )
                )
        return tuple(found)

    def summary(self) -> dict[str, Any]:
        """The performance as numbers and names: what ``--json`` ends with."""
        margin = self.stage.least_margin_samples
        return {
            "input": self.settings.input,
            "output": self.settings.output,
            "profile": self.profile.name,
            "patch": self.patch.name,
            "rate_hz": self.rate,
            "block_frames": self.block_frames,
            "duration_seconds": self.position_seconds,
            "latency": self.ledger.to_dict(),
            "least_margin_seconds": None if margin is None else margin / self.rate,
            "encoder_percent": self._encoder_percent(),
            **self.load.summary(),
            "counters": self.counters(),
            "recordings": {
                str(recorder.path): recorder.whole
                for recorder in (self._take, self._sound)
                if recorder is not None
            },
            "faults": self.faults,
        }

    # -- taking apart

    def close(self, error: BaseException | None = None) -> None:
        """End everything: first what was recorded is made whole, then devices are let go.

        Twice is harmless. A recording that was never begun leaves nothing, nor does, after an ``error``, what
        was rendered from a file.
        """
        if self._closed:
            return
        self._closed = True
        if self._driver is not None and self._driver.state == "running":
            # Cut, a sound clicks.
            self.stage.set_control("output_db", OFF_DB)
            time.sleep(0.03 + 2.0 * self.block_frames / self.rate)
        if self.listener is not None:
            self.listener.stop()
        self._close_recordings()
        if self._feeder is not None:
            self._feeder.close()
        if self._driver is not None:
            self._driver.close()
        self._stack.__exit__(type(error) if error is not None else None, error, None)

    def _close_recordings(self) -> None:
        if not self._begun:
            for recorder in (self._take, self._sound):
                if recorder is not None:
                    recorder.discard()
            return
        whole: list[tuple[TakeRecorder | SoundRecorder, bool]] = []
        if self._take is not None:
            whole.append((self._take, self._take.close(self.position_seconds)))
        if self._sound is not None:
            publish_number(self.state.engine.numbers, RECORDING, 0)
            time.sleep(2.0 * self.block_frames / self.rate)
            whole.append((self._sound, self._sound.close()))
        for recorder, is_whole in whole:
            if not is_whole:
                self.faults.append(f"{recorder.path} is not whole; {recorder.part_path} holds what there is")

    def __enter__(self) -> Performance:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close(error)


_EVENT_COUNTERS: Final = ("events_heard", "events_midi", "events_osc")


def _severity(dropout: Dropout) -> float:
    return max(dropout.busy_blocks, dropout.interval_blocks - 1.0)


def _check_controls(patch: Patch) -> None:
    unknown = sorted(set(patch.controls) - set(PARAMETER))
    if unknown:
        raise StruckError(
            f"patch {patch.name}: no control is called {unknown[0]}; they are {', '.join(PARAMETER)}"
        )
    for name, value in patch.controls.items():
        low, high = PARAMETER[name].low, PARAMETER[name].high
        if not low <= value <= high:
            raise StruckError(
                f"patch {patch.name} [controls]: {name} is {value:g}; the range is {low:g} to {high:g}"
            )


def _to_db(amplitudes: np.ndarray) -> tuple[float, ...]:
    return tuple(20.0 * float(np.log10(a)) if a > 0.0 else float("-inf") for a in amplitudes)
