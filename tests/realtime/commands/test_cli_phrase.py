"""``struck phrase`` as a user types it, with a MARS that is not one."""

import json

import numpy as np
import pytest
import soundfile

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.events import Event
from struck.codec.takes.takes import TakeReader
from struck.models.mars import mars as models_mars
from struck.models.mars.conditions import PhraseConditions
from struck.models.mars.mars import Sampling
from struck.realtime.commands.cli import main
from struck.realtime.engine.slots import FADE
from struck.realtime.phrases.bank import PhraseKey
from struck.realtime.phrases.files import join_phrases

from ..phrases.phrase_fakes import FakeMars, clip


class Mars(FakeMars):
    """Writes down what was asked of it."""

    asked: list[dict] = []  # noqa: RUF012 (emptied by the fixture)
    delay_seconds = 0.0

    def generate(self, conditions, **options):
        Mars.asked.append({"conditions": conditions, **options})
        return super().generate(conditions, **options)


@pytest.fixture(autouse=True)
def mars(monkeypatch):
    Mars.asked.clear()
    monkeypatch.setattr(models_mars, "Mars", Mars)
    return Mars


def run_json(capsys, *arguments):
    assert main(["phrase", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_phrase_is_written_as_asked(capsys, tmp_path):
    path = tmp_path / "a.wav"
    found = run_json(
        capsys, path, "--pitch", 48, "--velocity", 90, "--style", "chords", "--instrument", "Strings",
        "--chord", "dim", "--tempo", 96, "--seed", 5, "--rate", 44_100, "--bits", "16",
    )  # fmt: skip
    (asked,) = Mars.asked
    assert asked["conditions"] == PhraseConditions(48, 90, "comping", "string", "diminished", 96.0)
    assert (asked["seed"], asked["previous"], asked["sampling"]) == (5, None, Sampling())
    info = soundfile.info(path)
    assert (info.samplerate, info.subtype, info.frames) == (44_100, "PCM_16", 5 * 44_100)
    sound, _ = soundfile.read(path)
    middle = slice(2_000, 170_000)
    key = PhraseKey(asked["conditions"])
    assert sound[middle] == pytest.approx(clip(key, 44_100)[middle], abs=2e-3)
    assert found["loop_seconds"] == pytest.approx(8 * 60 / 96)
    assert (found["beats"], found["device"], found["seed"]) == (8, "cpu", 5)
    assert set(found["seconds"][0]) == {"tokens", "spectrogram", "phase"}
    assert [item.name for item in tmp_path.iterdir()] == ["a.wav"]


def test_phrases_run_on_and_join_without_a_seam(capsys, tmp_path):
    path = tmp_path / "long.wav"
    found = run_json(
        capsys, path, "--count", 3, "--tempo", 130, "--rate", ANALYSIS_RATE, "--bits", "float", "--seed", 7
    )
    assert [asked["seed"] for asked in Mars.asked] == [7, 8, 9]
    assert Mars.asked[0]["previous"] is None
    assert all(asked["previous"] is not None for asked in Mars.asked[1:])
    sound, _ = soundfile.read(path, dtype="float32")
    loop_seconds = 8 * 60 / 130
    assert found["duration_seconds"] == pytest.approx(3 * loop_seconds, abs=1e-4)
    for number in range(3):
        begin = round(number * loop_seconds * ANALYSIS_RATE)
        expected = clip(PhraseKey(Mars.asked[number]["conditions"], place=min(number, 1)))[FADE:40_000]
        assert sound[begin + FADE : begin + 40_000] == pytest.approx(expected, abs=1e-6)
    assert np.max(np.abs(np.diff(sound))) < 0.1  # a jump would be up to 1


def test_a_phrase_swings(capsys, tmp_path):
    found = run_json(capsys, tmp_path / "a.wav", "--style", "comping", "--swing", 66.7)
    assert Mars.asked[0]["conditions"].swing_percent == found["swing_percent"] == 66.7


def test_the_way_to_draw_is_handed_on(capsys, tmp_path):
    run_json(
        capsys, tmp_path / "a.wav", "--guidance", 2.5, "--temperature", 0.8, "--top-k", 50, "--top-p", 0.9
    )
    assert Mars.asked[0]["sampling"] == Sampling(2.5, 0.8, 50, 0.9)


def test_as_events_it_is_also_a_take(capsys, tmp_path, monkeypatch):
    from struck.codec.events.profiles import PROFILES

    monkeypatch.setitem(PROFILES, "studio", PROFILES["tight"])  # studio takes its time
    found = run_json(capsys, tmp_path / "a.wav", "--as-events", tmp_path / "a.mcap", "--rate", ANALYSIS_RATE)
    items = list(TakeReader(tmp_path / "a.mcap").items())
    assert found["event_count"] == sum(isinstance(item, Event) for item in items) > 0
    # Amendments and ends are in it, and the same is played as when the sound file is heard.
    assert {type(item) for item in items} == {Event, Amendment, End}
    for name, arguments in (("played", ["render", "a.mcap"]), ("heard", ["resynth", "a.wav"])):
        output = [str(tmp_path / arguments[1]), str(tmp_path / f"{name}.wav")]
        assert main([arguments[0], *output, "--rate", str(ANALYSIS_RATE)]) == 0
    played, heard = (
        soundfile.read(tmp_path / f"{name}.wav")[0][:ANALYSIS_RATE] for name in ("played", "heard")
    )
    # The file holds rounded samples, of which a gain may be fitted a little differently; without amendments
    # they would be 94 % apart.
    assert np.mean((played - heard) ** 2) < 0.1**2 * np.mean(heard**2)
    for name in ("played", "heard"):
        (tmp_path / f"{name}.wav").unlink()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.mcap", "a.wav"]


def test_a_phrase_as_a_take_alone(capsys, tmp_path, monkeypatch):
    from struck.codec.events.profiles import PROFILES

    monkeypatch.setitem(PROFILES, "studio", PROFILES["tight"])
    found = run_json(capsys, tmp_path / "a.mcap", "--tempo", 200)
    assert found["event_count"] == len(list(TakeReader(tmp_path / "a.mcap").events())) > 0
    assert (found["take"], found["duration_seconds"]) == (
        str(tmp_path / "a.mcap"),
        pytest.approx(2.4, abs=1e-4),
    )
    assert "output" not in found
    assert [item.name for item in tmp_path.iterdir()] == ["a.mcap"]


def test_a_progression_is_a_chord_a_bar(capsys, tmp_path):
    found = run_json(
        capsys, tmp_path / "a.wav", "--style", "comping", "--pitch", 48, "--chords", "Am F C G", "--count", 2
    )
    bars = [((45, "minor"), (53, "major")), ((48, "major"), (43, "major"))]
    assert [asked["conditions"].chords for asked in Mars.asked] == 2 * bars
    assert [asked["previous"] is None for asked in Mars.asked] == [True, False, False, False]
    assert found["chords"] == [[p, q] for _ in range(2) for bar in bars for p, q in bar]
    assert (found["count"], found["duration_seconds"]) == (4, pytest.approx(16.0))
    # An odd number of bars is played twice, and an instrument's range holds for each chord.
    Mars.asked.clear()
    run_json(
        capsys,
        tmp_path / "b.wav",
        "--style",
        "bass",
        "--instrument",
        "guitar",
        "--pitch",
        40,
        "--chords",
        "E A B",
    )
    roots = [pitch for asked in Mars.asked for pitch, _ in asked["conditions"].chords]
    assert roots == [40, 45, 47, 40, 45, 47]


def test_words_for_people(capsys, tmp_path):
    assert main(["phrase", str(tmp_path / "a.wav")]) == 0
    out, _ = capsys.readouterr()
    assert out == f"{tmp_path / 'a.wav'}: 1 phrase of 4.00 s (arpeggio, piano), made in 0.06 s on cpu\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--style", "solo"), "unknown style 'solo'; there are: single, bass, arpeggio"),
        (("--instrument", "kazoo"), "unknown instrument 'kazoo'; there are: piano, mallet"),
        (("--chord", "loud"), "unknown chord 'loud'; there are: major, minor"),
        (("--pitch", "128"), "128 is outside 0 to 127"),
        (("--pitch", "-1"), "-1 is outside 0 to 127"),
        (("--velocity", "0"), "0 is outside 1 to 127"),
        (("--tempo", "59"), "59 is outside 60 to 240"),
        (("--tempo", "nan"), "nan is outside 60 to 240"),
        (("--seed", "-1"), "-1 is outside"),
        (("--count", "0"), "0 is outside 1 to 64"),
        (("--top-p", "2"), "2 is outside 0 to 1"),
        (("--device", "abacus"), "invalid choice"),
    ],
)
def test_wrong_usage_says_what_is_right(capsys, tmp_path, arguments, words):
    with pytest.raises(SystemExit) as ended:
        main(["phrase", str(tmp_path / "a.wav"), *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--weights", "/nowhere/mars.safetensors"), "MARS weights not found: /nowhere/mars.safetensors"),
        (("--device", "cuda"), "there is no CUDA device"),
        (("--as-events", "events.wav"), "cannot write events.wav: the extension must be .mcap"),
        (("--chords", "Am H"), "unknown chord 'H'"),
        (("--chords", " "), "no chords; write them with spaces between"),
        (
            ("--chords", "Am F", "--style", "single"),
            "--chords is for phrases that have a chord, not for single",
        ),
    ],
)
def test_what_cannot_be_is_told_in_one_line(capsys, tmp_path, arguments, words):
    precious = tmp_path / "a.wav"
    precious.write_bytes(b"precious")
    assert main(["phrase", str(precious), *arguments]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert words in err
    assert precious.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [precious]


@pytest.mark.parametrize("error", [StruckError("broken"), KeyboardInterrupt()])
def test_nothing_is_left_of_what_was_not_finished(capsys, tmp_path, monkeypatch, error):
    def fail(self, conditions, **options):
        raise error

    monkeypatch.setattr(Mars, "generate", fail)
    code = main(["phrase", str(tmp_path / "a.wav"), "--as-events", str(tmp_path / "a.mcap")])
    assert code == (1 if isinstance(error, StruckError) else 130)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_told_before_anything_is_made(capsys, tmp_path):
    assert main(["phrase", str(tmp_path / "a.mp3")]) == 1
    assert "the extension must be" in capsys.readouterr().err
    assert Mars.asked == []


def test_of_one_phrase_nothing_is_joined():
    sound = clip(PhraseKey(PhraseConditions(60)))
    assert np.array_equal(join_phrases([sound], 4.0), sound)


def test_a_pitch_beyond_the_instrument_is_played_octaves_away_and_told(capsys, tmp_path):
    assert (
        main(
            [
                "phrase",
                str(tmp_path / "a.wav"),
                "--pitch",
                "127",
                "--style",
                "single",
                "--instrument",
                "flute",
            ]
        )
        == 0
    )
    (asked,) = Mars.asked
    assert asked["conditions"].pitch == 91
    told = "flute (single) goes from 48 to 98: 127 is played 3 octaves lower, as 91"
    assert f"struck: note: {told}\n" in capsys.readouterr().err
    found = run_json(capsys, tmp_path / "b.wav", "--pitch", 127, "--style", "single", "--instrument", "flute")
    assert found["pitch"] == 91
    assert told in found["notes"]
