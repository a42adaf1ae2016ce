"""Headers that do not tell the length of their sound: all that is there is read, and the user is told."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from struck.codec.files.audio_files import open_audio

RATE = 22_050


def tone(seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * 440.0 * time)).astype(np.float32)


def read(path: Path) -> tuple[np.ndarray, float, list[str]]:
    """Samples, length told at the end, notes."""
    with open_audio(path) as reader:
        samples = np.concatenate([np.zeros(0, np.float32), *reader.blocks()])
        return samples, reader.duration_seconds, reader.notes


def chunk(name: bytes, body: bytes, claimed: int | None = None) -> bytes:
    length = len(body) if claimed is None else claimed
    return name + struct.pack("<I", length) + body + b"\0" * (len(body) % 2)


FORMAT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))


def wave(
    data: bytes, claimed: int, *, before: bytes = b"", after: bytes = b"", name: bytes = b"RIFF"
) -> bytes:
    body = b"WAVE" + before + FORMAT + chunk(b"data", data, claimed) + after
    return name + struct.pack("<I", 0xFFFFFFFF if name != b"RIFF" else 36) + body


def long_lengths(data_bytes: int) -> bytes:
    return chunk(b"ds64", struct.pack("<QQQI", data_bytes + 80, data_bytes, 0, 0))


SOUND = (tone() * 32_767).astype("<i2").tobytes()

WAVES = {
    "length 0, as a dead recorder leaves it": (wave(SOUND, 0), "never finished"),
    "the length at its last renewal": (wave(SOUND, 20_000), "never finished"),
    "highest number, as into a pipe": (wave(SOUND, 0xFFFFFFFF), "does not tell"),
    "another high number": (wave(SOUND, 0x7FFFF000), "does not tell"),
    "RF64 with lengths of 0": (
        wave(SOUND, 0xFFFFFFFF, before=long_lengths(0), name=b"RF64"),
        "never finished",
    ),
    "RF64 without its lengths": (wave(SOUND, 0xFFFFFFFF, name=b"RF64"), "does not tell"),
    "BW64": (wave(SOUND, 0xFFFFFFFF, before=long_lengths(len(SOUND)), name=b"BW64"), ""),
    "BW64 with chunks behind": (
        wave(SOUND, 0xFFFFFFFF, before=long_lengths(len(SOUND)), after=chunk(b"axml", b"<>"), name=b"BW64"),
        "",
    ),
}


@pytest.mark.parametrize("case", WAVES)
def test_a_wav_file_is_read_whole_whatever_its_header_says(tmp_path, case):
    data, words = WAVES[case]
    (tmp_path / "in.wav").write_bytes(data)
    samples, seconds, notes = read(tmp_path / "in.wav")
    assert len(samples) == len(tone())
    assert np.abs(samples - tone()).max() < 1e-4
    assert seconds == pytest.approx(1.0)
    assert len(notes) == (words != "")
    assert all(words in note and "1.00 s" in note and "in.wav" in note for note in notes)


def test_a_short_wav_file_that_was_never_finished_is_not_taken_for_an_empty_one(tmp_path):
    (tmp_path / "in.wav").write_bytes(wave(SOUND[:400], 0))
    samples, _, notes = read(tmp_path / "in.wav")
    assert len(samples) == 200
    assert "never finished" in notes[0]


def test_a_cut_bw64_file_says_that_it_is_cut(tmp_path):
    data = wave(SOUND, 0xFFFFFFFF, before=long_lengths(len(SOUND)), name=b"BW64")
    (tmp_path / "in.wav").write_bytes(data[: -len(SOUND) // 2])
    samples, _, notes = read(tmp_path / "in.wav")
    assert len(samples) == len(tone()) // 2
    assert "cut off" in notes[0]


@pytest.mark.parametrize(
    "after",
    [chunk(b"LIST", b"INFOISFT\4\0\0\0abc\0"), chunk(b"LIST", b"INFO")[:-2], b"TAG" + b"x" * 125, bytes(512)],
    ids=["a chunk", "a chunk that is cut", "a tag", "zeros"],
)
def test_what_is_not_sound_is_not_read_as_sound(tmp_path, after):
    for claimed, length in ((len(SOUND), len(tone())), (0, 0)):
        data = wave(SOUND if claimed else b"", claimed, after=after)
        (tmp_path / "in.wav").write_bytes(data)
        samples, _, notes = read(tmp_path / "in.wav")
        assert len(samples) == length
        assert notes == []


def put(data: bytes, place: int, form: str, *values: int) -> bytes:
    return data[:place] + struct.pack(form, *values) + data[place + struct.calcsize(form) :]


def test_aiff_caf_and_au_files_too(tmp_path):
    """Each as soundfile writes it, then with the lengths of a recorder that died, or of a pipe."""
    for name, container in (("in.aiff", "AIFF"), ("in.caf", "CAF"), ("in.au", "AU")):
        soundfile.write(tmp_path / name, tone(), RATE, format=container, subtype="PCM_16")
    aiff, caf, au = ((tmp_path / name).read_bytes() for name in ("in.aiff", "in.caf", "in.au"))
    frames, sound, data = aiff.index(b"COMM") + 10, aiff.index(b"SSND") + 4, caf.index(b"data", 8) + 4
    for name, content, words in (
        ("dead.aiff", put(put(aiff, frames, ">I", 0), sound, ">I", 8), "never finished"),
        ("dead.caf", put(caf, data, ">q", 4), "never finished"),
        ("pipe.caf", put(caf, data, ">q", -1), "does not tell"),
        ("dead.au", put(au, 8, ">I", 0), "never finished"),
        ("pipe.au", put(au, 8, ">I", 0xFFFFFFFF), "does not tell"),
    ):
        (tmp_path / name).write_bytes(content)
        samples, seconds, notes = read(tmp_path / name)
        assert len(samples) == len(tone()), name
        assert np.abs(samples - tone()).max() < 1e-4
        assert seconds == pytest.approx(1.0)
        assert len(notes) == 1
        assert words in notes[0]


@pytest.mark.parametrize("seconds", [0.3, 6.0])
def test_a_flac_stream_that_does_not_tell_its_length(tmp_path, seconds):
    soundfile.write(tmp_path / "in.flac", tone(seconds), RATE)
    data = bytearray((tmp_path / "in.flac").read_bytes())
    # STREAMINFO, behind the signature and its own head: the low 36 bits of bytes 10 to 17 are the length.
    (word,) = struct.unpack_from(">Q", data, 8 + 10)
    struct.pack_into(">Q", data, 8 + 10, word & ~((1 << 36) - 1))
    (tmp_path / "in.flac").write_bytes(data)
    with open_audio(tmp_path / "in.flac") as reader:
        assert reader.duration_seconds == 0.0
    samples, duration, notes = read(tmp_path / "in.flac")
    assert len(samples) == len(tone(seconds))
    assert np.abs(samples - tone(seconds)).max() < 1e-4
    assert duration == pytest.approx(seconds)
    (note,) = notes
    assert "in.flac: its header does not tell how long it is" in note
    assert note.endswith(f"read the {seconds:.2f} s that are there")


def test_an_mp3_stream_of_varying_rates_is_read_to_its_end(tmp_path):
    """Without its first frame, which tells the length, the rate of the next one would be taken for all."""
    noise = np.random.default_rng(1).standard_normal(6 * 44_100)
    loudness = np.repeat(np.linspace(0.0, 0.3, 60), 4_410)
    soundfile.write(tmp_path / "whole.mp3", noise * loudness, 44_100, bitrate_mode="VARIABLE")
    data = (tmp_path / "whole.mp3").read_bytes()
    kilobits = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)[data[2] >> 4]
    first_bytes = 144_000 * kilobits // 44_100 + (data[2] >> 1 & 1)
    (tmp_path / "streamed.mp3").write_bytes(data[first_bytes:])
    whole, _, notes = read(tmp_path / "whole.mp3")
    assert notes == []
    samples, seconds, notes = read(tmp_path / "streamed.mp3")
    # Encoders write up to two frames of 1,152 samples more than they were given.
    assert len(whole) <= len(samples) <= len(whole) + 3 * 1_152
    assert seconds == pytest.approx(6.0, abs=0.1)
    assert "does not tell" in notes[0]
    (tmp_path / "cut.mp3").write_bytes(data[: len(data) // 2])
    assert "cut off" in read(tmp_path / "cut.mp3")[2][0]
