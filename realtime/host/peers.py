"""A performance's MIDI and OSC, in and out: opened by the settings, watched, closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ...codec.events.errors import StruckError
from ...codec.takes.midi_file import TEMPO_MARK
from ...patches.patch import Patch
from ...patches.shelf import Shelf
from ..engine.parameters import PARAMETERS, from_control
from ..mapping.targets import FindParameter, Targets
from ..midi.captured_sounds import CapturedSounds
from ..midi.connections import MidiInput, MidiOutput
from ..midi.echoes import EchoGuard
from ..midi.file_port import MidiFilePort, is_midi_file
from ..midi.mpe_out import MpeSender
from ..midi.note_sounds import NoteSettings
from ..midi.notes import NotePlayer, PhraseKeys, map_controls
from ..midi.ports import MidiPorts
from ..osc.address_book import AddressBook
from ..osc.addresses import Peer, parse_address
from ..osc.sender import OscSender
from ..osc.server import OscServer
from ..phrases.beats import Beats
from ..recording.take_recorder import TakeRecorder
from ..stage.stage import Stage
from ..tempo.clock_out import ClockSender
from ..tempo.follower import ClockFollower
from ..tempo.leader import Leader
from .maps import Maps
from .recaller import Recaller
from .settings import LiveSettings


class Messages:
    """Everything that comes and goes as messages.

    Args:
        settings: which ports and addresses.
        stage: what is played on.
        patch: whose notes MIDI plays.
        shelf: the patches that program changes choose from.
        latency: the latency ledger, seconds by part.
        phrases: plays the notes of its channel as phrases.
        clock: leads the tempo; a follower of MIDI clocks has those of the inputs.
        beats: the beats of now, for the clock that goes out; None while another's clock is followed.
        find_parameter: of inserts, for maps.
        captured: what was heard, for patches whose notes play it.
        actions, values: what else can be done and turned, see :mod:`struck.realtime.mapping.targets`.
        on_jack: the sound is played by a JACK server.

    Raises:
        StruckError: a port or address cannot be had; nothing is left open.
    """

    def __init__(
        self,
        settings: LiveSettings,
        stage: Stage,
        patch: Patch,
        shelf: Shelf,
        latency: Callable[[], Mapping[str, float]],
        phrases: PhraseKeys | None = None,
        clock: Leader | None = None,
        beats: Callable[[], Beats | None] = lambda: None,
        find_parameter: FindParameter | None = None,
        captured: CapturedSounds | None = None,
        actions: Mapping[str, Callable[[], None]] | None = None,
        values: Mapping[str, tuple[Callable[[], float], Callable[[float], None]]] | None = None,
        on_jack: bool = False,
    ) -> None:
        self._stage = stage
        self._phrases, self._beats = phrases, beats
        self._clock = clock if isinstance(clock, ClockFollower) else None
        self._on_jack = on_jack
        self._take: TakeRecorder | None = None
        self._ports: MidiPorts | None = None
        self._inputs: list[MidiInput] = []
        self._files: list[MidiFilePort] = []
        self._output: MidiOutput | None = None
        self._players: list[NotePlayer] = []
        self._mpe: MpeSender | None = None
        self._clock_output: MidiOutput | None = None
        self._clock_sender: ClockSender | None = None
        #: All addresses of OSC.
        self.book = AddressBook(stage)
        self._server: OscServer | None = None
        self._sender: OscSender | None = None
        self._targets = settings.osc_send
        self._captured = captured
        self._notes = note_settings(patch, self._captured)
        self._recaller = Recaller(shelf, stage.load_patch, stage.tell, stage.count)
        own = {
            "panic": stage.panic,
            "patch/next": lambda: self._recaller.step(stage.patch(), 1),
            "patch/previous": lambda: self._recaller.step(stage.patch(), -1),
        }
        #: All that can be turned and done.
        self.targets = Targets(stage, {**own, **(actions or {})}, find_parameter, stage.set_insert, values)
        self._maps: Maps | None = None
        try:
            if settings.midi_in:
                self._maps = Maps(settings.maps, stage, self.targets)
                self._maps.change_patch(patch.map)
            self._open_osc(settings, latency)
            self._open_midi(settings)
        except BaseException:
            self.close()
            raise

    def _open_osc(self, settings: LiveSettings, latency: Callable[[], Mapping[str, float]]) -> None:
        stage = self._stage
        listen = settings.osc_listen if settings.control is None else settings.control
        if listen is not None:
            host, port = parse_address(listen)
            self._server = OscServer(
                stage, stage.clock, host, port, latency=latency, on_packet=self.record_osc, book=self.book
            )
        if settings.osc_send or self._server is not None:
            targets = [parse_address(text) for text in settings.osc_send]
            self._sender = OscSender(stage, targets, self._server)
            stage.add_sink(self._sender)

    def _open_midi(self, settings: LiveSettings) -> None:
        if not settings.midi_in and settings.midi_out is None and settings.clock_out is None:
            return
        stage = self._stage
        controls = map_controls(stage, PARAMETERS, from_control)
        echoes = EchoGuard(stage.count, stage.tell)
        for name in settings.midi_in:
            assert self._maps is not None
            mapper = self._maps.open(name, lambda output: self._system().open_output(output).send)
            player = NotePlayer(
                stage,
                stage.clock,
                self._notes,
                controls=controls,
                on_program=self._change_program,
                on_clock=None if self._clock is None else partial(self._clock.receive, name),
                on_midi=self._record_midi,
                phrases=self._phrases,
                on_control=mapper.receive,
                refuses=partial(echoes.refuses, name),
            )
            self._players.append(player)
            if is_midi_file(name):
                file = MidiFilePort(Path(name).expanduser(), player.receive, player.release_all)
                self._files.append(file)
            else:
                opened = self._system().open_input(name, player.receive, player.release_all)
                self._inputs.append(opened)
                if self._clock is not None:
                    # What JACK loses of the sound it loses of its clocks' time, too.
                    shared = self._on_jack and opened.on_jack
                    beginning = partial(stage.clock.monotonic_at, 0) if shared else None
                    self._clock.expect(name, opened.step_seconds, beginning)
        if settings.midi_out is not None:
            self._output = self._system().open_output(settings.midi_out)
            mpe = self._mpe = MpeSender(
                self._output, stage.clock, stage.count, sysex=settings.sysex, on_sent=echoes.note_sent
            )
            stage.add_sink(mpe)
            stage.add_panic(lambda at_seconds: mpe.panic())
        if settings.clock_out is not None:
            self._clock_output = self._system().open_output(settings.clock_out)
            sender = self._clock_sender = ClockSender(self._clock_output, stage.clock, self._beats)
            if self._clock is not None:
                sender.on_sent = self._clock.note_sent

    def _system(self) -> MidiPorts:
        """The ports of the machine, which files do not need."""
        if self._ports is None:
            self._ports = MidiPorts(self._stage.tell)
        return self._ports

    def start(self) -> None:
        """Listen and send from now on."""
        if self._maps is not None:
            self._maps.start()
        for file in self._files:
            self._mark_tempos(file)
            file.start()
        if self._server is not None:
            self._server.start()
        if self._sender is not None:
            self._sender.start()
        if self._clock_sender is not None:
            self._clock_sender.start()

    @property
    def plays_files(self) -> bool:
        """Whether MIDI files are played, whose tempo is told when they begin."""
        return bool(self._files)

    def _mark_tempos(self, file: MidiFilePort) -> None:
        if self._take is not None:
            begins = self._stage.clock.position_samples() / self._stage.clock.rate
            for tempo in file.tempos:
                self._take.mark(begins + tempo.seconds, TEMPO_MARK, **tempo.details())

    def record(self, take: TakeRecorder) -> None:
        """Let ``take`` have what comes in."""
        self._take = take

    def poll(self) -> None:
        """See which ports have gone and which are back; call it about each second."""
        if self._ports is not None:
            self._ports.poll()

    def peers(self) -> tuple[str, ...]:
        """Ports and addresses, one text each."""
        found = [f"MIDI file {file.name}" for file in self._files]
        found += [f"MIDI in {port.name}" + ("" if port.connected else " (away)") for port in self._inputs]
        if self._output is not None:
            found.append(f"MIDI out {self._output.name}" + ("" if self._output.connected else " (away)"))
        if self._clock_output is not None:
            away = "" if self._clock_output.connected else " (away)"
            found.append(f"MIDI clock out {self._clock_output.name}{away}")
        if self._server is not None:
            host, port_number = self._server.address
            found.append(f"OSC in {host}:{port_number}")
            found += [f"OSC to {peer[0]}:{peer[1]}" for peer in self._server.subscribers.peers()]
        found += [f"OSC to {target}" for target in self._targets]
        return tuple(found)

    def learn(self, target: str) -> None:
        """Let the next controller that is moved turn ``target``; "" learns no more.

        Raises:
            StruckError: there is no such target, or no MIDI input.
        """
        if self._maps is None:
            raise StruckError("there is no MIDI input to learn from; --midi-in opens one")
        self._maps.learning.learn(target)

    def unlearn(self, target: str) -> None:
        """Let no controller turn ``target`` any more, of those learned while playing."""
        if self._maps is not None:
            self._maps.learning.unlearn(target)

    def learning(self) -> dict[str, Any]:
        """How learning stands, for the screen."""
        return {"possible": False} if self._maps is None else self._maps.learning.state()

    @property
    def osc_port(self) -> int | None:
        """The port where OSC is listened for; None where it is not."""
        return None if self._server is None else self._server.address[1]

    def send_events_to(self, others: Callable[[], Iterable[tuple[Peer, Callable[[bytes], None]]]]) -> None:
        """Send events, as OSC, to ``others``, too."""
        if self._sender is not None:
            self._sender.others = others

    def ask_patch(self, name: str) -> None:
        """Recall a patch soon: who asks goes on.

        Raises:
            StruckError: it is not known, or broken.
        """
        self._recaller.recall(name)

    def change_map(self, patch: Patch) -> None:
        """Let controllers turn what ``patch`` says, beside what their own files say."""
        if self._maps is not None:
            self._maps.change_patch(patch.map)

    def change_patch(self, patch: Patch) -> None:
        """Let notes sound as ``patch`` says."""
        notes = note_settings(patch, self._captured)
        for player in self._players:
            player.set_notes(notes)

    def close(self) -> None:
        """Close all; what was still to be sent is sent."""
        for file in self._files:
            file.close()
        self._recaller.close()
        if self._maps is not None:
            self._maps.close()
        if self._sender is not None:
            self._sender.close()
        if self._server is not None:
            self._server.close()
        if self._mpe is not None:
            self._mpe.close()
        if self._clock_sender is not None:
            self._clock_sender.close()
        if self._ports is not None:
            self._ports.close()

    def _change_program(self, bank: int, number: int) -> None:
        self._recaller.ask(bank, number)

    def _record_midi(self, at_sample: int, data: bytes) -> None:
        if self._take is not None:
            self._take.midi(at_sample / self._stage.clock.rate, data)

    def record_osc(self, at_sample: int, packet: bytes) -> None:
        """Let the take have a packet that changed what sounds."""
        if self._take is not None:
            self._take.osc(at_sample / self._stage.clock.rate, packet)


def note_settings(patch: Patch, captured: CapturedSounds | None = None) -> NoteSettings:
    """What MIDI notes sound like in ``patch``; ``captured`` is what was heard, for a patch that plays it."""
    note = patch.note
    return NoteSettings(
        vector=note.vector,
        gain_db=note.gain_db,
        velocity_brightness_db=note.velocity_brightness_db,
        bend_range_semitones=note.bend_range_semitones,
        mpe=note.mpe,
        channels=[channel - 1 for channel in note.channels],
        release=note.release,
        pressure=note.pressure,
        pressure_db=note.pressure_db,
        captured=captured if note.heard else None,
    )
