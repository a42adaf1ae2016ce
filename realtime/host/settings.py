"""What a performance is asked to be: the options of ``struck live``, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...codec.events.errors import StruckError
from ...codec.files.audio_files import WRITABLE
from ...codec.files.part_files import is_same_file, refuse_same_file
from ..tempo.leader import MIDI

#: Where ``--input`` and ``--output`` name a file by its extension although it is not there.
_SOUND_EXTENSIONS: Final = (*WRITABLE, ".mp3", ".aif", ".aiff", ".caf", ".w64", ".au", ".opus")
NONE: Final = "none"
#: Phrases are made nowhere, notes are played in their place.
PHRASES_OFF: Final = "off"


def is_file(text: str) -> bool:
    """Whether an ``--input`` or ``--output`` names a sound file and not a device."""
    if text in (NONE, "default"):  # whatever lies in the folder
        return False
    return Path(text).suffix.lower() in _SOUND_EXTENSIONS or Path(text).is_file()


@dataclass(frozen=True)
class LiveSettings:
    """A performance. None stands for what is usual there.

    Args:
        input, output: a device, a sound file, ``default`` or ``none``.
        profile: ``live``, ``tight`` or ``instant``; None takes the patch's.
        rate: in Hz, a multiple of 150 from 22,050 to 192,000; None takes the device's, or the file's.
        block_frames: 32 to 2,048; None takes 64, with JACK the server's period.
        patch: of :func:`struck.patches.patch.load_patch`, or of ``patches``.
        patches: folder of the user's own patches; None takes the usual one, if it is there.
        controls: by name, over the patch's.
        record: take to record, ``.mcap``; ``record_audio``: sound of the output, ``.wav``.
        exact: the take keeps float vectors.
        midi_in, midi_out: names of ports.
        setlist: of the show.
        maps: map files of controllers, beside those of the usual folder that are for these ports.
        clock_out: name of a port that the phrases' tempo goes to as MIDI clock.
        follow: what leads the tempo: ``midi``, a clock that comes in, ``link`` or ``jack``.
        clock_offset_seconds: what is followed counts as so much later, negative: earlier.
        sysex: MIDI out also sends whole vectors.
        osc_listen: address; None does not listen. osc_send: addresses.
        control: address of the control port, which listens for OSC too; None opens none.
        announce: the control port is announced on the network.
        backing: sound file that plays along, looped.
        duration_seconds: end after this; None goes on until the input ends, or until interrupted.
        compute_seconds: what the encoder is given per hop; more is safer and later.
        paced: with files on both sides: at the pace of the clock.
        phrases: where phrases are made: ``auto``, ``cpu``, ``cuda`` or ``off``.
        phrase_weights: of MARS; None takes those shipped.
        tempo_bpm: over the patch's.
        as_events: phrases are heard by the codec, and their events are played.
        plugin_log: file to which what plug-ins print is appended.

    Raises:
        StruckError: options that do not go together.
    """

    input: str = "default"
    output: str = "default"
    profile: str | None = None
    rate: int | None = None
    block_frames: int | None = None
    patch: str = "default"
    patches: Path | None = None
    controls: tuple[tuple[str, float], ...] = ()
    record: Path | None = None
    record_audio: Path | None = None
    exact: bool = False
    midi_in: tuple[str, ...] = ()
    midi_out: str | None = None
    maps: tuple[Path, ...] = ()
    setlist: Path | None = None
    clock_out: str | None = None
    follow: str = MIDI
    clock_offset_seconds: float = 0.0
    sysex: bool = False
    osc_listen: str | None = None
    osc_send: tuple[str, ...] = ()
    control: str | None = None
    announce: bool = False
    backing: Path | None = None
    duration_seconds: float | None = None
    compute_seconds: float | None = None
    paced: bool = False
    phrases: str = "auto"
    phrase_weights: Path | None = None
    tempo_bpm: float | None = None
    as_events: bool = False
    plugin_log: Path | None = None

    def __post_init__(self) -> None:
        if self.input == self.output == NONE:
            raise StruckError("neither input nor output: there is nothing to perform")
        if self.input == NONE and is_file(self.output):
            raise StruckError("an output file needs an input: a file or a device")
        if self.output_file is not None and self.output_file.suffix.lower() not in WRITABLE:
            known = " or ".join(WRITABLE)
            raise StruckError(f"cannot write {self.output_file}: the extension must be {known}")
        if self.output_file is not None and self.record_audio is not None and self.input_file is None:
            raise StruckError("--output already records the sound; leave --record-audio out")
        if self.record_audio is not None and self.record_audio.suffix.lower() != ".wav":
            raise StruckError(f"cannot record {self.record_audio}: the extension must be .wav")
        if self.record is not None and self.record.suffix.lower() != ".mcap":
            raise StruckError(f"cannot record {self.record}: the extension must be .mcap")
        if (
            self.output_file is not None
            and self.input_file is None
            and self.output_file.suffix.lower() != ".wav"
        ):
            raise StruckError(f"cannot record {self.output_file} from a device: the extension must be .wav")
        self._refuse_same_files()
        if self.follow != MIDI and self.is_offline and not self.paced:
            raise StruckError(f"--follow {self.follow} needs a device that keeps time, or --paced")
        if self.paced and not self.is_offline:
            raise StruckError("--paced is for a performance from file to file; devices keep time themselves")
        if self.control is not None and self.osc_listen is not None:
            raise StruckError("--control listens for OSC too; leave --osc-listen out")
        if self.announce and self.control is None:
            raise StruckError("--announce is for the port that --control opens")
        messages = (self.midi_in, self.midi_out, self.clock_out, self.osc_listen, self.control)
        if self.is_offline and not self.paced and any(messages):
            raise StruckError("MIDI and OSC need a device that keeps time, or --paced")

    def _refuse_same_files(self) -> None:
        read = [path for path in (self.input_file, self.backing) if path is not None]
        written = [path for path in (self.output_file, self.record_audio, self.record) if path is not None]
        for i, path in enumerate(written):
            for other in read:
                refuse_same_file(other, path)
            if any(is_same_file(path, other) for other in written[:i]):
                raise StruckError(f"{path} would be written twice")

    @property
    def input_file(self) -> Path | None:
        return Path(self.input) if is_file(self.input) else None

    @property
    def output_file(self) -> Path | None:
        return Path(self.output) if is_file(self.output) else None

    @property
    def is_offline(self) -> bool:
        """Whether no device takes part: the engine is driven from a file."""
        return self.input_file is not None and (self.output == NONE or self.output_file is not None)
