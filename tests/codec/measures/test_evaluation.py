"""Evaluation: the numbers of a codec that cheats in a known way, and folders that are not in order."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.measures import evaluation
from struck.codec.measures.evaluation import CodecResult, evaluate_folder
from struck.codec.measures.tables import format_profiles, format_table
from struck.codec.measures.truth import Truth, read_truth


def halve(signal: np.ndarray) -> CodecResult:
    """A codec that removes 6.02 dB with ten events a second, one every 100 ms, and as many amendments."""
    count = round(10 * signal.size / ANALYSIS_RATE)
    onsets = [0.1 * i for i in range(count)]
    return CodecResult(0.5 * signal, onsets, count, 200 * count, 0.25, [69.4] * count, count, 50 * count)


def write_tone(path: Path, seconds: float = 1.0, rate: int = ANALYSIS_RATE) -> None:
    time = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440.0 * time) * np.exp(-time), rate)


@pytest.fixture
def no_opus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "find_opus_fault", lambda: "ffmpeg is not installed")


@pytest.mark.usefixtures("no_opus")
def test_known_numbers(tmp_path: Path) -> None:
    write_tone(tmp_path / "b.wav")
    write_tone(tmp_path / "a.FLAC", seconds=2.0)
    (tmp_path / "b.notes.csv").write_text("onset_s,midi_pitch\n0.0,69\n0.41,69\n0.45,\n0.75,\n")
    (tmp_path / "readme.txt").write_text("not sound")
    calls: list[tuple[int, int, str]] = []
    report = evaluate_folder(tmp_path, halve, lambda *call: calls.append(call))

    assert calls == [(0, 2, "a.FLAC"), (1, 2, "b.wav"), (2, 2, "b.wav")]
    assert report.faults == []
    assert report.notes == ["no Opus baseline: ffmpeg is not installed"]
    first, second = report.files
    assert (first.name, second.name) == ("a.FLAC", "b.wav")
    assert first.seconds == pytest.approx(2.0)
    assert first.events_per_second == pytest.approx(10.0)
    assert first.real_time_factor == pytest.approx(8.0)
    assert first.struck.bits_per_second == pytest.approx(2000.0)
    assert first.struck.energy_removed_db == pytest.approx(6.02, abs=0.01)
    assert first.gabor.energy_removed_db > 20.0
    assert first.gabor.bits_per_second is None
    assert first.opus is None
    assert first.onsets is None
    # 0.41 and 0.45 are both within 50 ms of 0.4, but 0.45 may take 0.5; 0.75 takes 0.7 or 0.8.
    assert second.onsets is not None
    assert second.onsets.recall == 1.0
    assert second.onsets.precision == pytest.approx(0.4)
    # Two of the four have a pitch.
    assert second.notes is not None
    assert (second.notes.precision, second.notes.recall) == pytest.approx((0.2, 1.0))
    assert first.notes is None
    assert second.amendments_per_second == pytest.approx(10.0)
    assert second.amendment_bits_per_second == pytest.approx(500.0)

    medians = report.medians()
    assert medians["seconds"] == pytest.approx(1.5)
    assert medians["struck"]["energy_removed_db"] == pytest.approx(6.02, abs=0.01)
    assert medians["gabor"]["bits_per_second"] is None
    assert medians["opus"] is None
    assert medians["onsets"]["recall"] == 1.0


@pytest.mark.usefixtures("no_opus")
def test_profiles_stand_in_one_table(tmp_path: Path) -> None:
    write_tone(tmp_path / "tone.wav", seconds=0.5)
    (tmp_path / "tone.notes.csv").write_text("onset_s,midi_pitch\n0.0,69\n")
    reports = {
        "studio": evaluate_folder(tmp_path, halve),
        "live": evaluate_folder(tmp_path, halve, baselines=False),
    }
    assert reports["live"].files[0].gabor is None
    table = format_profiles(reports).splitlines()
    live = next(line for line in table if line.startswith("live")).split()
    assert [live[1], *live[3:7]] == ["6.02", "2.00", "0.50", "10.0", "10.0"]
    assert live[7:9] == ["0.33", "0.33"]  # onset F, note F
    assert any(line.startswith("Gabor, as studio") for line in table)
    assert any("1 files" in line for line in table)


def test_opus_takes_part_where_it_is_installed(tmp_path: Path) -> None:
    fault = evaluation.find_opus_fault()
    if fault is not None:
        pytest.skip(fault)
    write_tone(tmp_path / "tone.wav", rate=44_100)
    report = evaluate_folder(tmp_path, halve)
    [file] = report.files
    assert report.notes == []
    assert file.opus is not None
    assert file.opus.bits_per_second is not None
    assert 1000 < file.opus.bits_per_second < 12_000
    assert file.opus.energy_removed_db > 6.0
    assert file.opus_9 is not None
    assert file.opus_12 is not None
    rates = [score.bits_per_second for score in (file.opus, file.opus_9, file.opus_12)]
    assert rates == sorted(rates)
    assert rates[2] > 1.3 * rates[0]
    for table in (format_table(report), format_profiles({"studio": report})):
        line = next(line for line in table.splitlines() if line.startswith("Opus, 12 kbit/s"))
        assert f"{rates[2] / 1000:.2f}" in line.split()
    rows = [line for line in format_table(report).splitlines() if line.count("|") == 4]
    assert len({len(line) for line in rows}) == 1


@pytest.mark.usefixtures("no_opus")
def test_the_report_is_json_and_a_table_even_where_nothing_is_heard(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(3000), ANALYSIS_RATE)
    write_tone(tmp_path / "tone.wav", seconds=0.3)

    def hear_nothing(signal: np.ndarray) -> CodecResult:
        return CodecResult(np.zeros(0, dtype=np.float32), [], 0, 0, 0.0)

    report = evaluate_folder(tmp_path, hear_nothing)
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False)) == report.to_dict()
    silence, tone = report.files
    assert silence.struck.mel_distance_db == 0.0
    assert tone.struck.energy_removed_db == pytest.approx(0.0, abs=1e-6)
    assert (tone.gabor.energy_removed_db, tone.gabor.mel_distance_db) == pytest.approx(
        (0.0, tone.struck.mel_distance_db), abs=1e-6
    )
    assert tone.real_time_factor is None
    table = format_table(report)
    assert "silence.wav" in table
    assert "\nmedian" in table
    assert "no Opus baseline" in table
    rows = [line for line in table.splitlines() if line.count("|") == 4]
    assert len({len(line) for line in rows}) == 1, "columns are not aligned:\n" + table


@pytest.mark.usefixtures("no_opus")
def test_an_unreadable_file_is_named_and_the_rest_evaluated(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF\x10\x00\x00\x00WAVEjunkjunkjunk")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), ANALYSIS_RATE)
    write_tone(tmp_path / "good.wav", seconds=0.2)
    write_tone(tmp_path / "odd.wav", seconds=0.2)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "odd.notes.csv").write_text("onset_s\nsoon\n")
    report = evaluate_folder(tmp_path, halve)
    assert [file.name for file in report.files] == ["good.wav"]
    assert [fault.split(":")[0] for fault in report.faults] == ["broken.wav", "empty.wav", "odd.wav"]
    assert "left out: broken.wav" in format_table(report)


@pytest.mark.usefixtures("no_opus")
def test_nothing_readable_is_a_report_without_numbers(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"")
    report = evaluate_folder(tmp_path, halve)
    assert report.files == []
    assert report.medians()["struck"] is None
    assert "left out: broken.wav" in format_table(report)


def test_a_fault_of_the_codec_is_not_hidden(tmp_path: Path) -> None:
    write_tone(tmp_path / "tone.wav", seconds=0.1)

    def fail(signal: np.ndarray) -> CodecResult:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        evaluate_folder(tmp_path, fail)


def test_folders_without_recordings(tmp_path: Path) -> None:
    with pytest.raises(StruckError, match="no recordings"):
        evaluate_folder(tmp_path, halve)
    with pytest.raises(StruckError, match="not a folder"):
        evaluate_folder(tmp_path / "missing", halve)


@pytest.mark.parametrize(
    "text", ["time\n1.0\n", "onset_s\nx\n", "onset_s\nnan\n", "a,onset_s\n1\n", "onset_s,midi_pitch\n1,A4\n"]
)
def test_a_bad_truth_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.notes.csv").write_text(text)
    with pytest.raises(StruckError, match="onset_s"):
        read_truth(tmp_path / "x.wav")


def test_truth_that_is_empty_or_absent(tmp_path: Path) -> None:
    assert read_truth(tmp_path / "x.wav") is None
    (tmp_path / "x.notes.csv").write_text("onset_s,offset_s\n")
    assert read_truth(tmp_path / "x.wav") == Truth([], [])
    (tmp_path / "x.notes.csv").write_text("onset_s,midi_pitch\n0.5,60.5\n1.0,\n")
    assert read_truth(tmp_path / "x.wav") == Truth([0.5, 1.0], [(0.5, 60.5)])
