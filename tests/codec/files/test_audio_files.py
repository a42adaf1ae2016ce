"""Reading and writing sound files: every format gives the right result, every fault one clear line."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from struck.codec.events.errors import StruckError
from struck.codec.files.audio_files import AudioWriter, open_audio, read_mono

RATE = 22_050


def tone(seconds: float = 0.5, rate: int = RATE, frequency_hz: float = 440.0) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time)).astype(np.float32)


def fails_with(path: Path, words: str) -> None:
    with pytest.raises(StruckError, match=words) as caught:
        read_mono(path, RATE)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    [
        ("PCM_U8", 0.02),
        ("PCM_16", 1e-4),
        ("PCM_24", 1e-6),
        ("PCM_32", 1e-6),
        ("FLOAT", 0.0),
        ("DOUBLE", 1e-7),
    ],
)
def test_wav_sample_formats(tmp_path, subtype, tolerance):
    soundfile.write(tmp_path / "in.wav", tone(), RATE, subtype=subtype)
    assert np.abs(read_mono(tmp_path / "in.wav", RATE) - tone()).max() <= tolerance


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 192_000])
def test_resampling_keeps_pitch_level_and_length(tmp_path, rate):
    soundfile.write(tmp_path / "in.wav", tone(1.0, rate), rate, subtype="FLOAT")
    samples = read_mono(tmp_path / "in.wav", RATE)
    assert abs(len(samples) - RATE) <= 1
    inside = slice(1_000, -1_000)
    assert np.abs(samples[:RATE][inside] - tone(1.0)[: len(samples)][inside]).max() < 2e-3


def test_channels_are_averaged(tmp_path):
    channels = np.stack([(i + 1) * 0.1 * tone() for i in range(6)], axis=1)  # 5.1
    soundfile.write(tmp_path / "in.wav", channels, 48_000, subtype="FLOAT")
    with open_audio(tmp_path / "in.wav") as reader:
        assert (reader.source_channels, reader.source_rate, reader.rate) == (6, 48_000, 48_000)
        assert reader.duration_seconds == pytest.approx(len(channels) / 48_000)
        samples = reader.read(1 << 20)
    np.testing.assert_allclose(samples, channels.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_block_size_does_not_change_the_samples(tmp_path, rate):
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 200_000).astype(np.float32)
    soundfile.write(tmp_path / "in.wav", noise, rate, subtype="FLOAT")
    whole = read_mono(tmp_path / "in.wav", RATE)
    for size in (64, 4_096, 1_000_000):
        with open_audio(tmp_path / "in.wav", RATE) as reader:
            blocks = list(reader.blocks(size))
        assert {len(block) for block in blocks[:-1]} <= {size}
        np.testing.assert_array_equal(np.concatenate(blocks), whole)
        assert reader.duration_seconds == pytest.approx(len(noise) / rate)


def test_a_file_of_no_samples_yields_nothing(tmp_path):
    for name in ("in.wav", "in.ogg"):
        soundfile.write(tmp_path / name, np.zeros(0, np.float32), 48_000)
        assert len(read_mono(tmp_path / name, RATE)) == 0


def test_what_is_not_a_sound_file(tmp_path):
    fails_with(tmp_path / "missing.wav", "not found")
    (tmp_path / "folder.wav").mkdir()
    fails_with(tmp_path / "folder.wav", "is a folder")
    (tmp_path / "empty.wav").touch()
    fails_with(tmp_path / "empty.wav", "empty")
    (tmp_path / "text.wav").write_text("dear diary\n" * 100)
    fails_with(tmp_path / "text.wav", "not a readable sound file")
    (tmp_path / "text.raw").write_text("dear diary\n" * 100)
    fails_with(tmp_path / "text.raw", "not a readable sound file")
    os.mkfifo(tmp_path / "pipe.wav")
    fails_with(tmp_path / "pipe.wav", "not a regular file")
    soundfile.write(tmp_path / "slow.wav", tone(), 11)
    fails_with(tmp_path / "slow.wav", "sample rate of 11 Hz")


def test_unreadable_by_permission(tmp_path):
    soundfile.write(tmp_path / "in.wav", tone(), RATE)
    (tmp_path / "in.wav").chmod(0)
    if os.access(tmp_path / "in.wav", os.R_OK):
        pytest.skip("this user may read everything (root)")
    fails_with(tmp_path / "in.wav", "Permission denied")


@pytest.mark.parametrize("name", ["in.wav", "in.flac", "in.ogg"])
def test_a_cut_file_is_read_as_far_as_it_goes_and_says_so(tmp_path, name):
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 200_000)
    soundfile.write(tmp_path / name, noise, RATE)
    sound = read_mono(tmp_path / name, RATE)
    assert len(sound) == len(noise)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with open_audio(tmp_path / name, RATE) as reader:
        samples = np.concatenate(list(reader.blocks()))
    assert len(samples) > 30_000
    np.testing.assert_allclose(samples[:30_000], sound[:30_000], atol=1e-3)
    (note,) = reader.notes
    assert "cut off" in note
    assert "\n" not in note


def test_an_ogg_file_cut_before_its_first_sound_is_an_error_not_silence(tmp_path):
    soundfile.write(tmp_path / "in.ogg", np.random.default_rng(1).uniform(-0.5, 0.5, 200_000), RATE)
    (tmp_path / "in.ogg").write_bytes((tmp_path / "in.ogg").read_bytes()[:5_000])
    fails_with(tmp_path / "in.ogg", "cut off")


def test_damaged_samples_become_zero_and_are_counted(tmp_path):
    samples = tone()
    samples[[10, 20, 30, 40]] = [np.nan, np.inf, -np.inf, 1e30]
    soundfile.write(tmp_path / "in.wav", samples, RATE, subtype="FLOAT")
    with open_audio(tmp_path / "in.wav", RATE) as reader:
        read = np.concatenate(list(reader.blocks()))
    assert not read[[10, 20, 30, 40]].any()
    assert reader.replaced_count == 4
    assert "4 damaged samples" in reader.notes[0]


def test_arguments_out_of_range(tmp_path):
    soundfile.write(tmp_path / "in.wav", tone(), RATE)
    with pytest.raises(ValueError, match="rate is 0"):
        open_audio(tmp_path / "in.wav", 0)
    with open_audio(tmp_path / "in.wav") as reader, pytest.raises(ValueError, match="not 0"):
        next(reader.blocks(0))


@pytest.mark.parametrize(
    ("name", "channels", "tolerance"),
    [("out.wav", 1, 1e-6), ("out.WAV", 2, 1e-6), ("out.flac", 2, 1e-6), ("out.ogg", 1, 0.2)],
)
def test_round_trip(tmp_path, name, channels, tolerance):
    sound = np.stack([tone()] * channels, axis=1)
    with AudioWriter(tmp_path / name, RATE, channels) as writer:
        for start in range(0, len(sound), 1_000):
            writer.write(sound[start : start + 1_000] if channels > 1 else sound[start : start + 1_000, 0])
        assert not (tmp_path / name).exists()
    assert os.listdir(tmp_path) == [name]
    assert writer.frame_count == len(sound)
    assert writer.notes == []
    read, rate = soundfile.read(tmp_path / name, always_2d=True)
    assert (rate, read.shape) == (RATE, sound.shape)
    assert np.abs(read - sound).max() <= tolerance


def test_clipping_is_counted_but_float_keeps_all(tmp_path):
    loud = np.asarray([0.0, 1.0, -1.5, 2.0], np.float32)
    with AudioWriter(tmp_path / "out.wav", RATE) as writer:
        writer.write(loud)
    assert writer.clipped_count == 2
    assert "2 samples" in writer.notes[0]
    np.testing.assert_allclose(soundfile.read(tmp_path / "out.wav")[0], [0, 1, -1, 1], atol=1e-6)
    with AudioWriter(tmp_path / "out.wav", RATE, subtype="FLOAT") as writer:
        writer.write(loud)
    assert writer.clipped_count == 0
    np.testing.assert_array_equal(read_mono(tmp_path / "out.wav", RATE), loud)


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError, SystemExit])
def test_a_failed_write_leaves_the_good_file_and_nothing_else(tmp_path, fault):
    (tmp_path / "out.wav").write_bytes(b"good")
    with pytest.raises(fault), AudioWriter(tmp_path / "out.wav", RATE) as writer:
        writer.write(tone())
        raise fault
    assert os.listdir(tmp_path) == ["out.wav"]
    assert (tmp_path / "out.wav").read_bytes() == b"good"


def test_unwritable_destinations(tmp_path):
    def enter(path: Path, rate: int = RATE, subtype: str | None = None) -> None:
        with AudioWriter(path, rate, subtype=subtype):
            pass

    (tmp_path / "folder.wav").mkdir()
    for path, words in (
        (tmp_path / "nowhere" / "out.wav", "there is no folder"),
        (tmp_path / "folder.wav", "it is a folder"),
        (tmp_path / "out.mp7", r"extension must be one of \.wav, \.flac, \.ogg"),
    ):
        with pytest.raises(StruckError, match=words):
            enter(path)
    with pytest.raises(StruckError, match="cannot hold PCM_24"):
        enter(tmp_path / "out.ogg", subtype="PCM_24")
    with pytest.raises(StruckError, match="at 999999999 Hz"):
        enter(tmp_path / "out.flac", rate=999_999_999)
    with pytest.raises(StruckError, match="no samples"):
        enter(tmp_path / "out.flac")
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(StruckError, match="not a regular file"):
        enter(tmp_path / "pipe.wav")
    assert sorted(os.listdir(tmp_path)) == ["folder.wav", "pipe.wav"]


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.wav").symlink_to(tmp_path / "real" / "out.wav")
    with AudioWriter(tmp_path / "link.wav", RATE) as writer:
        writer.write(tone())
    assert (tmp_path / "link.wav").is_symlink()
    assert len(read_mono(tmp_path / "real" / "out.wav", RATE)) == len(tone())


def test_write_refuses_what_does_not_fit(tmp_path):
    with AudioWriter(tmp_path / "out.wav", RATE) as writer:
        with pytest.raises(ValueError, match="does not fit 1 channels"):
            writer.write(np.zeros((10, 2), np.float32))
        with pytest.raises(ValueError, match="NaN"):
            writer.write(np.asarray([np.nan]))


@pytest.mark.parametrize("name", ["out.wav", "out.flac", "out.ogg"])
def test_a_full_disk_is_told_and_nothing_is_left(tmp_path, name):
    """A limit on the size of files stands in for the full disk: the write call fails in the same place."""
    program = f"""
import resource, numpy as np
from struck.codec.files.audio_files import AudioWriter
from struck.codec.events.errors import StruckError
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, {resource.RLIM_INFINITY}))
try:
    with AudioWriter({str(tmp_path / name)!r}, 22_050) as writer:
        for _ in range(20):
            writer.write(np.random.default_rng(1).uniform(-1, 1, 10_000))
except StruckError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"cannot write {tmp_path / name}: File too large"
    assert done.stderr == ""
    assert os.listdir(tmp_path) == []
