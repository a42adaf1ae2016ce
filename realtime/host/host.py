"""The live host: all parts of a performance put together, watched over, and taken apart again."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, Final

from ...codec.events.errors import StruckError
from ...codec.events.profiles import PROFILES
from ...codec.files.audio_files import AudioReader, open_audio
from ...codec.hearing.following.follower import Follower
from ...codec.hearing.resampler import StreamingResampler
from ...codec.pipeline import make_header
from ...codec.playing.decoder_state import PENDING
from ...codec.takes.midi_file import TEMPO_MARK, Tempo
from ...codec.weights.codec_weights import CodecWeights, shipped_codec_weights
from ...patches.patch import Patch
from ...patches.setlist import Scene, load_setlist
from ...patches.shelf import Shelf
from ...patches.source_patch import SourcePatch
from ..control.port import ControlPort
from ..devices.choice import choose_devices, choose_rate
from ..devices.devices import JACK, DeviceChoice
from ..devices.driver import DeviceDriver, stream_channels
from ..devices.feeder import Feeder
from ..engine.address_tables import make_address_table
from ..engine.callback import BLOCKS, CallbackState, make_callback_state, portaudio_callback
from ..engine.clock import DeviceClock, FileClock
from ..engine.cycles import CycleClock
from ..engine.latency import LatencyLedger, make_ledger
from ..engine.parameters import OFF_DB, PARAMETERS, check_controls
from ..engine.state import CAPTURING, OUT_PEAK, make_engine_state, position_seconds
from ..midi.captured_sounds import CapturedSounds
from ..midi.note_sounds import NoteTemplates
from ..phrases.backing import SLOT as BACKING_SLOT
from ..phrases.backing import Backing
from ..phrases.band import Accompaniment, BandSettings
from ..recording.recordings import Recordings
from ..screen.status import Status
from ..screen.teller import Teller
from ..stage.expression_thread import ExpressionThread
from ..stage.file_driver import FileDriver
from ..stage.heard_events import HeardEvents
from ..stage.hearing_thread import Listener
from ..stage.soundings import Sounding, SoundingEvent
from ..stage.stage import Stage
from ..tempo.leaders import open_leader
from .block_load import LoadMeter
from .control import announce, open_control
from .gauges import Gauges
from .inserts import Inserts
from .log import Log
from .patch_saver import PatchSaver
from .peers import Messages, note_settings
from .settings import NONE, PHRASES_OFF, LiveSettings
from .show import Show, check_scenes
from .signals import Stop, StopFlag
from .snapshots import Snapshots, Turned
from .watch import Watch

_WATCH_SECONDS: Final = 0.05
#: Weights of the input have come down by then.
_FADE_SECONDS: Final = 0.05
#: A clock that is followed is never quite even.
_SAME_TEMPO: Final = 2e-3
_POLL_SECONDS: Final = 0.5
_DEFAULT_BLOCK_FRAMES: Final = 64
#: A device that calls this many of its periods after its last call was late.
_LATE_PERIODS: Final = 2.0
#: In a file's tail, silence this long after the last event is the end.
_QUIET_SECONDS: Final = 1.5
_QUIET_PEAK: Final = 1e-4
#: What a phrase slot holds, without and with a backing.
_PHRASE_SECONDS: Final = 8.1
_BACKING_SECONDS: Final = 30.0
#: A thread that waits for Python's lock gets it after this; notes must not wait Python's usual 5 ms.
_SWITCH_SECONDS: Final = 0.0005


class _Callback:
    """The compiled callback and its state's address, as drivers take them."""

    def __init__(self, state: CallbackState) -> None:
        self._table = make_address_table(state)
        self.pointer: int = portaudio_callback.address
        self.userdata: int = self._table.ctypes.data


def _print_line(line: str) -> None:
    print(f"struck: {line}", file=sys.stderr, flush=True)


class Host:
    """Opens everything that the settings name, plays, and closes it.

    Nothing sounds and no file is begun before all that can fail has been tried.

    Args:
        settings: what is asked for.
        weights: the codec's; None takes those shipped.
        teller: takes lines for the performer; None lets them go to standard error.

    Raises:
        StruckError: something cannot be had; nothing is left open.
    """

    def __init__(
        self, settings: LiveSettings, weights: CodecWeights | None = None, teller: Teller | None = None
    ) -> None:
        self.settings = settings
        self._weights = weights or shipped_codec_weights()
        #: The last lines that the performer was told.
        self.log = Log(_print_line if teller is None else teller.tell)
        self._tell = self.log.tell
        self._stack = ExitStack()
        self._closed = False
        self._driver: DeviceDriver | None = None
        self._feeder: Feeder | None = None
        self._listener: Listener | None = None
        self._listening = False
        self._recordings: Recordings | None = None
        self._backing: Backing | None = None
        self._control: ControlPort | None = None
        self._input_channel = 1  # of the device, the first that is heard
        self._tempo: Tempo | None = None  # that the take knows of
        #: The setlist's, where there is one.
        self.show: Show | None = None
        self._patch_lock = Lock()
        #: What failed for good while the rest went on, one line each.
        self.faults: list[str] = []
        try:
            named = settings.patch.lower().endswith(".toml")
            self.shelf = Shelf(settings.patches, Path(settings.patch).parent if named else None)
            self.patch = self.shelf.open(settings.patch)
            check_controls(self.patch)
            self.profile = PROFILES[settings.profile or self.patch.profile]
            self._open_engine()
            self._open_stage()
        except BaseException as error:
            self.close(error)
            raise

    # -- putting together

    def _open_engine(self) -> None:
        """Input, engine, device, clock and ledger."""
        s = self.settings
        source, sink = choose_devices(
            None if s.input_file is not None else s.input,
            None if s.output_file is not None or s.is_offline else s.output,
        )
        self.rate = choose_rate(s.rate, sink or source, s.input_file)
        self._reader: AudioReader | None = None
        if s.input_file is not None:
            self._file_source = self.patch.source
            weigh = None if self._file_source == SourcePatch() else self._file_source.weights
            reader = open_audio(s.input_file, self.rate, weigh)
            self._reader = self._stack.enter_context(reader)
        inputs = max(1, stream_channels(source, "input"))
        outputs = stream_channels(sink, "output") or (1 if s.is_offline and not self.patch.inserts else 2)
        self._cycles = CycleClock()
        phrase_seconds = _PHRASE_SECONDS if s.backing is None else _BACKING_SECONDS
        inserts = self.inserts = Inserts(self.rate, s.is_offline, self._tell, s.plugin_log)
        self._stack.callback(inserts.close)
        engine = make_engine_state(
            self.rate, inputs, outputs, phrase_seconds=phrase_seconds, racks=inserts.racks
        )
        self.state = make_callback_state(engine, self.rate, self._cycles.cycles_per_second)
        self._callback = _Callback(self.state)
        self.block_frames = s.block_frames or _DEFAULT_BLOCK_FRAMES
        input_seconds = output_seconds = 0.0
        self.clock: DeviceClock | FileClock
        plays = sink or source
        self._on_jack = plays is not None and plays.host == JACK
        if plays is None:
            self.clock = FileClock(self.state, self.rate, self.block_frames)
        else:
            driver = self._driver = self._open_device(source, sink)
            self.block_frames = driver.block_frames
            input_seconds, output_seconds = driver.input_latency_seconds, driver.output_latency_seconds
            self.clock = DeviceClock(self.state, self._cycles, self.rate, self.block_frames, output_seconds)
        inserts.open(self.patch, engine, self.block_frames)
        inserts.changed = self._on_inserts_changed
        ledger = make_ledger(
            self.profile,
            self.rate,
            self.block_frames,
            StreamingResampler(self.rate).latency_samples / self.rate,
            s.compute_seconds,
            input_seconds,
            output_seconds,
        )
        self.ledger: LatencyLedger = replace(ledger, inserts_seconds=inserts.delay_seconds)
        self._tell_latency()

    def _on_inserts_changed(self) -> None:
        self.ledger = replace(self.ledger, inserts_seconds=self.inserts.delay_seconds)
        self._tell_latency()
        self._tell(self.ledger.describe())
        self.snapshots.follow_inserts()

    def _tell_latency(self) -> None:
        """Let JACK know, for hosts that compensate: heard events are so much later than the input."""
        if self._driver is not None:
            listening = self.settings.input != NONE
            seconds = self.ledger.engine_seconds + self.ledger.inserts_seconds if listening else 0.0
            self._driver.tell_latency(round(seconds * self.rate))

    def _attend_file(self) -> None:
        """After each block from a file: what was sent to the inserts is waited for."""
        self.inserts.settle()
        self.stage.attend()

    def _open_device(self, source: DeviceChoice | None, sink: DeviceChoice | None) -> DeviceDriver:
        jack = JACK in {device.host for device in (source, sink) if device is not None}
        driver = DeviceDriver(
            source,
            sink,
            self.rate,
            self.settings.block_frames or (2_048 if jack else _DEFAULT_BLOCK_FRAMES),
            self._callback,
            lambda: int(self.state.stamps[BLOCKS]),
            self._tell,
            self._on_device_lost,
        )
        self._stack.callback(driver.close)
        self.state.interval_alarm[0] = _LATE_PERIODS * driver.period_frames / driver.block_frames
        return driver

    def _open_stage(self) -> None:
        """All that plays, listens, sends and records."""
        s = self.settings
        engine = self.state.engine
        stage = self.stage = Stage(engine, self._weights, self.clock, self._tell, s.exact)
        stage.change_transforms(self.patch.transforms)  # before maps turn them
        if s.input != NONE:
            self._listener = self._make_listener()
        else:
            engine.numbers[CAPTURING] = 0
        reserved = () if s.backing is None else (BACKING_SLOT,)
        notes = NoteTemplates(note_settings(self.patch))
        band = BandSettings(
            device=None if s.phrases == PHRASES_OFF else s.phrases,
            weights=s.phrase_weights,
            tempo_bpm=s.tempo_bpm,
            as_events=s.as_events,
        )
        self.tempo = open_leader(
            s.follow,
            s.tempo_bpm or self.patch.phrases.tempo_bpm,
            s.clock_offset_seconds,
            self.clock.output_latency_seconds,
            stage.count,
            self._tell,
        )
        self._stack.callback(self.tempo.close)
        phrases = self.accompaniment = Accompaniment(
            band, self.patch, engine, stage, notes, reserved, clock=self.tempo
        )
        self._stack.callback(phrases.close)
        stage.transforms.beats = phrases.line
        self._stack.callback(ExpressionThread(stage).close)
        self.captured = CapturedSounds(stage.raw)
        stage.add_sink(self.captured)
        turned = Turned(stage, self.inserts)
        self.snapshots = Snapshots(
            turned,
            lambda: 60.0 / phrases.stats()["tempo_bpm"],
            lambda: self.patch.safe,
            way=turned.between,
        )
        self._stack.callback(self.snapshots.close)
        self.messages = Messages(
            s,
            stage,
            self.patch,
            self.shelf,
            self.latency,
            phrases,
            self.tempo,
            phrases.own_beats,
            self.inserts.find_parameter,
            self.captured,
            self._make_actions(),
            {"morph_beats": self.snapshots.morph},
            on_jack=self._on_jack,
        )
        self._stack.callback(self.messages.close)
        load = self.load = LoadMeter(self.state)
        self.gauges = Gauges(self.state, stage, load, self._driver, self._reader)
        saver = self._saver = PatchSaver(self.shelf, stage, self.inserts.played)
        self._stack.callback(saver.close)
        do = self.messages.targets.do
        stage.hand_over(
            self.change_patch, phrases.play, self.stats, self.inserts.set_parameter, do, self.save_patch
        )
        stage.hand_over_asking(self.messages.ask_patch)
        stage.add_sink(self.inserts)
        self.messages.book.add_source(self.inserts.leaves)
        stage.add_panic(self.inserts.panic)
        stage.note_patch(self.patch.name)
        stage.hand_over_learning(self.messages.learn, self.messages.unlearn)
        self._apply_controls(self.patch)
        self._choose_input(self.patch)
        for name, value in s.controls:
            stage.set_control(name, value)
        self.snapshots.begin()
        stage.add_watcher(self.snapshots.watch)
        self.inserts.turned = self.snapshots.watch
        engine.gains[:] = engine.targets  # where the show begins, nothing fades in
        if s.backing is not None:
            self._backing = Backing(s.backing, engine, stage, self._tell)
        recordings = self._recordings = Recordings(engine, self.rate, self._tell, stage.count)
        source = s.input if self._reader is None else self._reader.path.name
        header = make_header(self._weights, self.profile, source, s.exact)
        sounds = [path for path in (s.record_audio, s.output_file) if path is not None]
        recordings.open(s.record, sounds, header, self._driver is not None, stage.attend)
        if recordings.take is not None:
            stage.add_witness(recordings.take.outcome)
            stage.add_sink(self._record_change)
            self.messages.record(recordings.take)
        recordings.mark("start", rate=self.rate, block_frames=self.block_frames, **self.ledger.to_dict())
        recordings.patch(self.patch.name, stage.controls())
        if s.control is not None:
            self._control = open_control(s.control, self)
            self._stack.callback(self._control.close)
            if s.announce:
                port = self.messages.osc_port
                assert port is not None
                self._stack.callback(announce(s.control, port).close)
        self._watch = Watch(engine, load, recordings, self._reader, self._tell, stage.count, self.rate)
        self.faults = self._watch.faults

    def _make_actions(self) -> dict[str, Callable[[], None]]:
        """What can be done beside the recall of patches: snapshots, and the setlist where there is one."""
        captured = {"capture/hold": self.captured.hold, "capture/clear": self.captured.clear}
        actions = self.snapshots.actions() | captured
        if self.settings.setlist is not None:
            scenes = load_setlist(self.settings.setlist)
            check_scenes(scenes, self.shelf.find)
            show = self.show = Show(scenes, self._enter_scene, self._tell)
            self._stack.callback(show.close)
            actions |= {"setlist/next": lambda: show.step(1), "setlist/previous": lambda: show.step(-1)}
        return actions

    def _enter_scene(self, scene: Scene) -> None:
        """Recall a scene's patch, if it is another, then go to its controls."""
        with self._patch_lock:
            patch = self.shelf.find(scene.patch) if scene.patch else self.patch
            if scene.tempo_bpm is not None:
                patch = replace(patch, phrases=replace(patch.phrases, tempo_bpm=scene.tempo_bpm))
            if patch != self.patch:
                self._change_patch(patch)
        self.snapshots.go({**patch.controls, **scene.controls}, scene.morph_beats)

    def _record_change(self, sounding: Sounding) -> None:
        """Let the take have what becomes of an event; the event itself it gets once that sounds."""
        assert self._recordings is not None
        assert self._recordings.take is not None
        if not isinstance(sounding, SoundingEvent):
            self._recordings.take.change(sounding.item)

    def _make_listener(self) -> Listener:
        self._listening = True
        return Listener(
            Follower(self._weights, self.profile),
            self.state.engine,
            self.rate,
            self.ledger.engine_seconds,
            self.ledger.compute_seconds + self.ledger.block_seconds,  # a block's first sample is a block old
            HeardEvents(self.stage),
            self.stage.count,
            lambda error: self._watch.note_recovery("hearing", error),
        )

    # -- playing

    def run(self, stop: Stop | None = None) -> None:
        """Play until the input ends, the time is up, or ``stop`` (a ``threading.Event``, say) is set.

        On a device a part that fails is told and noted in :attr:`faults`, and the rest goes on: notes and the
        dry sound do not need the encoder.

        Raises:
            StruckError: from file to file, the output cannot be written.
        """
        assert self._recordings is not None
        stop = stop or StopFlag()
        self._recordings.begin()
        before = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_SECONDS)
        try:
            if self._listener is not None:
                self._listener.warm_up()
            self.stage.warm_up()
            gc.collect()
            gc.freeze()  # what is there now stays to the end: the collector need not look at it again
            self.accompaniment.start()
            self._mark_tempo()
            self.messages.start()
            if self._control is not None:
                self._control.start()
            if self._driver is None:
                self._run_file(stop, self._recordings)
            else:
                self._run_device(stop, self._driver)
            self._watch.look_for_damage(last=True)
        finally:
            gc.unfreeze()
            sys.setswitchinterval(before)

    def _run_file(self, stop: Stop, recordings: Recordings) -> None:
        assert self._reader is not None
        s = self.settings
        driver = FileDriver(
            self.state,
            self._reader,
            self.block_frames,
            self._listener,
            recordings.write,
            s.paced,
            self._attend_file,
            self.inserts.input_delay_frames,
            lambda: self.stage.transforms.waits,
        )
        driver.run(lambda seconds: not stop.is_set(), s.duration_seconds, self._end_backing)

    def _run_device(self, stop: Stop, driver: DeviceDriver) -> None:
        assert isinstance(self.clock, DeviceClock)
        if self._reader is not None:
            self._feeder = Feeder(self.state.engine, self._reader)
            self._stack.callback(self._feeder.close)
            self._feeder.start()
        if self._listener is not None:
            self._listener.start()
        driver.start()
        longest = self.settings.duration_seconds
        polled_at = 0.0
        quiet_since: float | None = None
        while not stop.wait(_WATCH_SECONDS):
            self.clock.observe()
            self.stage.attend()
            self._watch.look_for_dropouts(self.block_frames)
            self._watch.look_for_damage()
            if time.monotonic() - polled_at >= _POLL_SECONDS:
                self._poll(driver)
                polled_at = time.monotonic()
            self._note_faults()
            seconds = self.position_seconds
            if longest is not None and seconds >= longest:
                break
            if self._feeder is not None and self._feeder.drained:
                quiet_since = self._follow_tail(quiet_since, seconds)
                if quiet_since is not None and seconds - quiet_since >= _QUIET_SECONDS:
                    break
        self._watch.look_for_dropouts(self.block_frames, last=True)
        if self._listener is not None and self._listener.failing is not None:
            self._watch.note_fault("hearing", self._listener.failing)

    def _poll(self, driver: DeviceDriver) -> None:
        before = driver.state
        if (before, driver.poll()) == ("lost", "running"):
            self._on_device_back(driver)
        self.messages.poll()
        self._mark_tempo()
        self._cycles.refine()

    def _mark_tempo(self) -> None:
        """Let the take know the tempo where it is another one; a MIDI file's it knows."""
        assert self._recordings is not None
        if self.messages.plays_files:
            return
        bpm = 60.0 / self.accompaniment.line().beat_seconds
        bars = self.patch.phrases.beats_per_bar
        before = self._tempo
        if before is None or abs(bpm / before.bpm - 1.0) > _SAME_TEMPO or bars != before.numerator:
            self._tempo = Tempo(self.position_seconds, bpm, bars)
            self._recordings.mark(TEMPO_MARK, **self._tempo.details())

    def _follow_tail(self, quiet_since: float | None, seconds: float) -> float | None:
        """After the file's end: hear its last hop, once; then since when the output has been silent."""
        listener = self._listener
        if self._listening and listener is not None and listener.stop():
            self._listening = False
            try:
                listener.finish()
            except Exception as error:
                self._watch.note_fault("the encoder", error)
        self._end_backing()
        engine = self.state.engine
        waits = engine.decoder.numbers[PENDING] > 0 or self.stage.transforms.waits
        if waits or engine.levels[OUT_PEAK].max() >= _QUIET_PEAK:
            return None
        return seconds if quiet_since is None else quiet_since

    def _end_backing(self) -> None:
        """The backing ends with the input that it plays along with."""
        if self._backing is not None:
            self._backing.end()

    def _note_faults(self) -> None:
        if self._feeder is not None and self._feeder.error is not None:
            self._watch.note_fault("the input file", self._feeder.error)

    def _on_device_lost(self) -> None:
        assert isinstance(self.clock, DeviceClock)
        assert self._recordings is not None
        self.stage.pause()
        self.clock.hold()
        self.messages.poll()
        self._recordings.mark("dropout", what="device")

    def _on_device_back(self, driver: DeviceDriver) -> None:
        assert isinstance(self.clock, DeviceClock)
        self.clock.restart()
        self.clock.block_frames = self.block_frames = driver.block_frames
        self.clock.output_latency_seconds = driver.output_latency_seconds
        self.state.interval_alarm[0] = _LATE_PERIODS * driver.period_frames / driver.block_frames
        if not self.stage.resume():
            self._tell("the engine does not take commands; what was played before may still sound")
        if self._backing is not None:
            self._backing.restart()

    @property
    def screen_address(self) -> str | None:
        """Where the performer's screen is, for people; None without a control port."""
        return None if self._control is None else self._control.invitation

    # -- while it plays

    @property
    def position_seconds(self) -> float:
        """Stream time."""
        return position_seconds(self.state.engine)

    def change_patch(self, name: str) -> None:
        """Recall a patch: its controls and the sound of its notes. The profile stays.

        From any thread: of two changes at once one comes after the other, whole.

        Args:
            name: see :meth:`struck.patches.shelf.Shelf.find`.

        Raises:
            StruckError: there is no such patch, or it is broken.
        """
        with self._patch_lock:
            self._change_patch(self.shelf.find(name))

    def save_patch(self, name: str) -> None:
        """Save the patch as it is played now; see :meth:`struck.patches.shelf.Shelf.place_for`.

        Raises:
            StruckError: it cannot be saved there.
        """
        with self._patch_lock:
            self._saver.save(self.patch, name)

    def _change_patch(self, patch: Patch) -> None:
        check_controls(patch)
        self.patch = patch
        self.stage.note_patch(patch.name)
        self._apply_controls(patch, patch.safe)
        if "source" not in patch.safe:
            self._choose_input(patch)
        if "transforms" not in patch.safe:
            self.stage.change_transforms(patch.transforms)
        if "map" not in patch.safe:
            self.messages.change_map(patch)
        if "note" not in patch.safe:
            self.messages.change_patch(patch)
        if "phrases" not in patch.safe:
            self.accompaniment.change_patch(patch, NoteTemplates(note_settings(patch)))
        if "inserts" not in patch.safe:
            self.inserts.change(patch)
        if self._recordings is not None:
            self._recordings.patch(patch.name, self.stage.controls())
        if patch.profile != self.profile.name:
            self._tell(f"patch {patch.name} is for the profile {patch.profile}; {self.profile.name} goes on")

    def _apply_controls(self, patch: Patch, safe: Sequence[str] = ()) -> None:
        self.stage.recall_controls(
            {p.name: patch.controls.get(p.name, p.default) for p in PARAMETERS if p.name not in safe}
        )

    def _choose_input(self, patch: Patch) -> None:
        """Hear the channels that a patch names; those of a file were chosen when it was opened."""
        if self._reader is not None:
            if patch.source != self._file_source:
                self._tell(f"patch {patch.name}: an input file keeps the channels that it was opened with")
            return
        source, count = patch.source, self.state.engine.source.shape[1]
        try:
            weights = self._weigh_input(source, count)
        except StruckError as error:
            self._tell(f"patch {patch.name} {error}; the mean of all is heard")
            source = SourcePatch()
            weights = self._weigh_input(source, count)
        self.stage.choose_input(weights, 1.0 if source == SourcePatch() else 0.0)

    def _weigh_input(self, source: SourcePatch, count: int) -> tuple[float, ...]:
        """Factors on the engine's channels; where another channel is meant, the device is asked for it.

        Raises:
            StruckError: the input has no such channel.
        """
        channel = source.channel if isinstance(source.channel, int) else 1
        first = channel if channel > count else 1
        if self._driver is None or self._input_channel == first:
            return source.weights(count)
        # Faded out, so that the change makes no click where the input itself is played.
        self.stage.choose_input((0.0,) * count, 0.0)
        if self._driver.state == "running":
            time.sleep(_FADE_SECONDS)
        self._driver.choose_input(first)
        self._input_channel = first
        return SourcePatch(1).weights(count) if first > 1 else source.weights(count)

    def status(self) -> Status:
        """What the screen shows; for one caller, as some figures are since the call before."""
        assert self._recordings is not None
        named = Status(
            patch=self.patch.name,
            profile=self.profile.name,
            input_name=self.settings.input,
            output_name=self.settings.output,
            rate_hz=self.rate,
            block_frames=self.block_frames,
            latency_seconds=self.ledger.total_seconds,
            recordings=self._recordings.describe(),
            peers=self.messages.peers(),
            phrases=self.accompaniment.describe(),
            tempo=self.tempo.describe(time.perf_counter()),
        )
        busy = {"encoder": self._encoder_seconds(), "recording": self._recordings.busy_seconds}
        if named.phrases:
            busy["phrases"] = self.accompaniment.busy_seconds
        return self.gauges.fill(named, busy)

    def stats(self) -> dict[str, int | float]:
        """All counters, levels and figures by name: what OSC's ``/struck/stats`` tells."""
        found = {
            **self.gauges.stats(),
            **self.accompaniment.stats(),
            **self.tempo.stats(time.perf_counter()),
            **self.inserts.counters(),
        }
        if self._listener is not None:
            found["hearing_percent"] = self._encoder_percent(self.position_seconds)
            found["hearing_longest_ms"] = 1e3 * self._listener.longest_seconds
        return found

    def latency(self) -> dict[str, float]:
        """The ledger, and what of it has been measured so far.

        ``least_margin_seconds`` is how much of ``compute_seconds`` the most hurried heard event left over,
        negative where it was late; ``longest_piece_seconds`` the longest that the encoder took for a piece of
        sound. Both are left out before something was heard.
        """
        found = self.ledger.to_dict()
        margin = self.stage.least_margin_samples
        if margin is not None:
            found["least_margin_seconds"] = margin / self.rate
        if self._listener is not None and self._listener.busy_seconds > 0.0:
            found["longest_piece_seconds"] = self._listener.longest_seconds
        return found

    def summary(self) -> dict[str, Any]:
        """The performance as numbers and names: what ``--json`` ends with."""
        assert self._recordings is not None
        ended = self._recordings.end_seconds
        seconds = self.position_seconds if ended is None else ended
        return {
            "input": self.settings.input,
            "output": self.settings.output,
            "profile": self.profile.name,
            "patch": self.patch.name,
            "rate_hz": self.rate,
            "block_frames": self.block_frames,
            "duration_seconds": seconds,
            "latency": self.latency(),
            "encoder_percent": self._encoder_percent(seconds),
            **self.load.summary(paced=self._driver is not None),
            "counters": self.gauges.counters(),
            "phrases": self.accompaniment.stats(),
            "inserts": self.inserts.counters(),
            "recordings": self._recordings.whole(),
            "faults": self.faults,
        }

    def _encoder_seconds(self) -> float:
        return 0.0 if self._listener is None else self._listener.busy_seconds

    def _encoder_percent(self, seconds: float) -> float:
        return 100.0 * self._encoder_seconds() / seconds if seconds else 0.0

    # -- taking apart

    def close(self, error: BaseException | None = None) -> None:
        """End everything: first what was recorded is made whole, then devices are let go.

        Twice is harmless. A recording that was never begun leaves nothing, nor does, after an ``error``, what
        was rendered from a file.
        """
        if self._closed:
            return
        self._closed = True
        pause_seconds = 0.0
        if self._driver is not None and self._driver.state == "running":
            # Cut, a sound clicks.
            self.stage.set_control("output_db", OFF_DB)
            pause_seconds = 2.0 * self.block_frames / self.rate
            time.sleep(0.03 + pause_seconds)
        if self._listener is not None:
            self._listener.stop()
        with self._stack:
            if self._recordings is not None:
                self.faults += self._recordings.close(error, pause_seconds)

    def __enter__(self) -> Host:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close(error)
