"""Settings: what does not go together is refused in one line, before anything is opened."""

import os
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from struck.codec.events.errors import StruckError
from struck.realtime.host.settings import LiveSettings, is_file


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input": "none", "output": "none"}, "nothing to perform"),
        ({"input": "none", "output": "out.wav"}, "needs an input"),
        ({"input": "in.wav", "output": "out.mp3"}, "cannot write out.mp3: the extension must be .wav or"),
        ({"output": "out.wav", "record_audio": Path("too.wav")}, "leave --record-audio out"),
        ({"record_audio": Path("show.flac")}, "cannot record show.flac: the extension must be .wav"),
        ({"record": Path("show.wav")}, "cannot record show.wav: the extension must be .mcap"),
        ({"record": Path("show")}, "the extension must be .mcap"),
        ({"output": "out.flac"}, "cannot record out.flac from a device"),
        ({"paced": True}, "--paced is for"),
        ({"input": "in.wav", "paced": True}, "--paced is for"),
        ({"input": "in.wav", "output": "out.wav", "midi_in": ("keys",)}, "or --paced"),
        ({"input": "in.wav", "output": "none", "midi_out": "synth"}, "or --paced"),
        ({"input": "in.wav", "output": "none", "osc_listen": "9000"}, "or --paced"),
        ({"input": "in.wav", "output": "in.wav"}, "in.wav is both input and output"),
        ({"input": "in.wav", "output": "./x/../in.wav"}, "both input and output"),
        ({"input": "in.wav", "output": "none", "record_audio": Path("in.wav")}, "both input and output"),
        ({"backing": Path("loop.wav"), "record_audio": Path("loop.wav")}, "both input and output"),
        ({"input": "in.wav", "output": "a.wav", "record_audio": Path("a.wav")}, "would be written twice"),
    ],
)
def test_what_does_not_go_together(options, words):
    with pytest.raises(StruckError, match=words) as refused:
        LiveSettings(**options)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "input_file", "output_file", "is_offline"),
    [
        ({}, None, None, False),
        ({"input": "in.wav"}, "in.wav", None, False),
        ({"input": "in.WAV", "output": "out.FLAC"}, "in.WAV", "out.FLAC", True),
        ({"input": "in.mp3", "output": "none"}, "in.mp3", None, True),
        ({"input": "none"}, None, None, False),
        ({"output": "none"}, None, None, False),
        ({"output": "out.wav"}, None, "out.wav", False),
        ({"input": "jack:fluidsynth", "output": "jack:system"}, None, None, False),
    ],
)
def test_files_and_devices(options, input_file, output_file, is_offline):
    settings = LiveSettings(**options)
    assert settings.input_file == (None if input_file is None else Path(input_file))
    assert settings.output_file == (None if output_file is None else Path(output_file))
    assert settings.is_offline == is_offline


def test_an_existing_file_needs_no_extension_but_default_and_none_are_never_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("recording", "default", "none"):
        (tmp_path / name).write_bytes(b"")
    assert is_file("recording")
    assert not is_file("default")
    assert not is_file("none")
    assert LiveSettings().input_file is None
    assert LiveSettings(input="none").input_file is None


def test_a_link_to_the_input_is_the_input(tmp_path):
    source = tmp_path / "in.wav"
    source.write_bytes(b"")
    os.link(source, tmp_path / "hard.wav")
    (tmp_path / "soft.wav").symlink_to(source)
    for name in ("hard.wav", "soft.wav"):
        with pytest.raises(StruckError, match="both input and output"):
            LiveSettings(input=str(source), output=str(tmp_path / name))


def test_a_paced_performance_has_messages():
    LiveSettings(input="in.wav", output="out.wav", paced=True, midi_in=("keys",), osc_listen="9000")
    LiveSettings(input="in.wav", output="out.wav", osc_send=("127.0.0.1:9001",))  # sending needs no clock


def test_settings_do_not_change():
    with pytest.raises(FrozenInstanceError):
        LiveSettings().rate = 44_100


def test_extensions_in_capitals():
    settings = LiveSettings(
        input="A.FLAC", output="OUT.WAV", record=Path("T.MCAP"), record_audio=Path("R.WAV")
    )
    assert (settings.input_file, settings.output_file) == (Path("A.FLAC"), Path("OUT.WAV"))
