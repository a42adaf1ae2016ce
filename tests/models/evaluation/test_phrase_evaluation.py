"""The evaluation of MARS: a MARS that cheats in a known way, and what is left in a folder."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from struck.codec.events.errors import StruckError
from struck.models.evaluation.notes.classifiers import PhraseClassifiers
from struck.models.evaluation.phrases.additive import AdditiveSynth
from struck.models.evaluation.phrases.data import open_evaluation_data
from struck.models.evaluation.phrases.evaluation import PhraseReport, evaluate_mars, match_reference
from struck.models.evaluation.phrases.files import write_files
from struck.models.evaluation.phrases.tables import format_markdown, format_nearest, format_text
from struck.models.mars.conditions import PhraseConditions
from struck.models.mars.phrase_data import PhraseData
from struck.models.mars.quantizer import LAYOUTS

from .phrase_fakes import FakeMars, write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PhraseData:
    return write_data(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def report(data: PhraseData) -> PhraseReport:
    # Untrained classifiers serve: what is tested does not hang on what they say.
    return evaluate_mars(
        data,
        PhraseClassifiers(),
        FakeMars(),
        tokenizers=FakeMars().tokenizers,
        truncated=FakeMars(detune=1, error_db=16.0),
        additive=AdditiveSynth().eval(),
        note_count=12,
        phrase_count=3,
        remarks=["a remark"],
    )


def test_rows_and_what_is_known_of_them(report: PhraseReport) -> None:
    rows = {row.name: row for row in report.rows}
    assert list(rows) == [
        "held-out real",
        "reconstruction",
        "reconstruction, truncated",
        "MARS",
        "MARS, truncated",
        "nearest neighbour",
        "additive",
    ]
    assert all(row.notes.count == 12 for row in report.rows)
    assert rows["held-out real"].notes.level_error is None
    error = rows["reconstruction"].notes.level_error
    assert error is not None
    assert error.mse == pytest.approx(0.01, rel=1e-3)
    assert error.mae == pytest.approx(0.1, rel=1e-3)
    worse = rows["reconstruction, truncated"].notes.level_error
    assert worse is not None
    assert worse.mse == pytest.approx(0.04, rel=1e-3)
    assert rows["held-out real"].notes.pitch_right == 1.0
    assert rows["MARS"].notes.pitch_right == 1.0
    assert rows["MARS, truncated"].notes.pitch_right == 0.0
    assert rows["MARS, truncated"].notes.cents_median == pytest.approx(100.0, abs=3.0)
    assert rows["nearest neighbour"].notes.nearest_db == pytest.approx(0.0, abs=0.01)
    assert rows["nearest neighbour"].notes.suspicious == 1.0
    assert rows["held-out real"].notes.nearest_db > 1.0
    played = rows["MARS"].phrases
    assert played is not None
    assert played.chroma_passes == 1.0
    assert played.phrases_on_grid == 1.0
    assert list(played.styles) == ["arpeggio"]
    assert played.styles["arpeggio"] == played.rhythmic
    assert played.rhythmic.on_grid == 1.0
    assert played.arpeggio_f is not None
    assert played.arpeggio_f > 0.6


def test_the_tokenizer_is_measured_by_itself(report: PhraseReport, data: PhraseData) -> None:
    single = np.array([conditions.style == "single" for conditions in data.conditions])
    for name, layout, is_note in (("notes", "seconds", True), ("phrases", "beats", False)):
        figures = report.tokenizers[name]
        count = int(np.sum(data.held_out & (single == is_note)))
        assert figures.clips == count
        assert figures.scales == list(LAYOUTS[layout].scales)
        assert len(figures.code_use) == len(figures.scales)
        # One token a clip at the first scale.
        assert 1 / 32 <= figures.code_use[0] <= min(1.0, count / 32)
        assert all(0.0 < share <= 1.0 for share in figures.code_use)
        # Untrained, it says nothing like what it was told; what is cut is blurred alone.
        assert 0.0 < figures.truncation_mse < figures.mse
        assert f"Tokenizer of {name}, {count} held-out clips" in format_text(report)


def test_the_nearest_training_sounds_of_each_note_are_listed(report: PhraseReport) -> None:
    assert len(report.nearest) == 12
    for one in report.nearest:
        assert len(one.by_spectrogram) == len(one.by_embedding) == 3
        name, far = one.by_spectrogram[0]
        assert name.startswith("clip ")
        assert 0.0 <= far <= one.by_spectrogram[1][1]


def test_reports_are_json_text_and_markdown(report: PhraseReport) -> None:
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert [row["name"] for row in values["rows"]][3] == "MARS"
    assert len(values["tokenizers"]["notes"]["code_use"]) == len(LAYOUTS["seconds"].scales)
    assert values["rows"][3]["phrases"]["chroma_share"] > 0.9
    for text in (format_text(report), format_markdown(report)):
        assert "MARS, truncated" in text
        assert "a remark" in text
        assert "onsets on sixteenths" in text
    assert "by_spectrogram" not in format_nearest(report)
    assert format_nearest(report).count("## ") == 12


def test_a_folder_of_tables_sounds_and_pictures(report: PhraseReport, tmp_path: Path) -> None:
    written = write_files(tmp_path / "out", report, FakeMars())
    assert all(path.is_file() and path.stat().st_size for path in written)
    names = {str(path.relative_to(tmp_path / "out")) for path in written}
    assert {"report.md", "report.json", "nearest.md", "notes.png", "phrases.png", "scales.png"} <= names
    assert "sounds/MARS-truncated/note-000.flac" in names
    samples, rate = soundfile.read(tmp_path / "out" / "sounds" / "MARS" / "phrase-000.flac")
    assert rate == 22_050
    np.testing.assert_allclose(samples, report.rows[3].phrase_sounds[0], atol=1e-3)
    (tmp_path / "file").touch()
    with pytest.raises(StruckError, match="cannot make the folder"):
        write_files(tmp_path / "file", report, FakeMars())


def test_rows_without_weights_are_left_out_and_said_so(data: PhraseData) -> None:
    calls: list[tuple[int, int]] = []
    report = evaluate_mars(
        data,
        PhraseClassifiers(),
        FakeMars(),
        note_count=8,
        phrase_count=0,
        progress=lambda done, total, what: calls.append((done, total)),
    )
    names = ["held-out real", "reconstruction", "MARS", "nearest neighbour"]
    assert [row.name for row in report.rows] == names
    assert len(report.notes) == 2
    assert calls == [(i + 1, 60 + 4 * 8) for i in range(60 + 4 * 8)]
    assert report.rows[0].phrases is None
    assert "phrases  " not in format_text(report)


def test_the_reference_is_like_what_is_asked_and_leaves_out_what_is_taken() -> None:
    training = [PhraseConditions(p, 100, "single", f) for f in ("piano", "organ") for p in range(40, 80)]
    taken = np.zeros(80, bool)
    taken[:20] = True
    asked = [PhraseConditions(50, 100, "single", "piano")] * 10
    rows = match_reference(asked, training, taken, np.random.default_rng(0))
    assert len(set(rows.tolist())) == 10
    assert not taken[rows].any()
    assert all(training[row].instrument == "piano" for row in rows)
    everything = match_reference(asked * 9, training, taken, np.random.default_rng(0))
    assert len(everything) == 60


def test_too_little_data_is_told(tmp_path: Path) -> None:
    little = write_data(tmp_path, training=9, held_out=9, phrases=0)
    with pytest.raises(StruckError, match="8 held-out notes or more"):
        evaluate_mars(little, PhraseClassifiers(), FakeMars())


def test_data_is_found_or_its_lack_told(data: PhraseData, tmp_path: Path) -> None:
    write_data(tmp_path / "run" / "data", training=3, held_out=3, phrases=0)
    for path in (tmp_path / "run", tmp_path / "run" / "data"):
        found, remarks = open_evaluation_data(path, tmp_path / "made", print)
        assert len(found) == 6
        assert remarks == []
    with pytest.raises(StruckError, match="neither training clips"):
        open_evaluation_data(tmp_path, tmp_path / "made", print)
    with pytest.raises(StruckError, match="there is no folder"):
        open_evaluation_data(tmp_path / "none", tmp_path / "made", print)
