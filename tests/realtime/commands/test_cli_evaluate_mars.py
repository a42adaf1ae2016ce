"""``struck evaluate mars``: its result, its files, and its faults in a line."""

import json
from pathlib import Path

import pytest

from struck.models.mars.mars import Mars
from struck.realtime.commands.cli import main

from ...models.evaluation.phrase_fakes import FakeMars, write_data
from ...models.mars.mars_fixtures import tiny_mars


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mars, "load", lambda path, device, report: FakeMars())


@pytest.mark.usefixtures("fake")
def test_result_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path / "data", training=24, held_out=8, phrases=1)
    arguments = ["--data", str(tmp_path), "--notes", "8", "--phrases", "1", "--output", str(tmp_path / "out")]
    assert main(["evaluate", "mars", "--json", *arguments]) == 0
    values = json.loads(capsys.readouterr().out)
    assert "MARS" in [row["name"] for row in values["rows"]]
    assert values["training_notes"] == 24
    assert all(Path(path).is_file() for path in values["files"])
    assert (tmp_path / "out" / "scales.png").is_file()


@pytest.mark.usefixtures("fake")
def test_missing_data_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "mars", "--data", "nowhere"]) == 1
    assert capsys.readouterr().err == "struck: there is no folder nowhere\n"


@pytest.mark.parametrize(
    ("arguments", "fault"), [(["mars", "recordings"], "--data recordings"), (["codec"], "needs a FOLDER")]
)
def test_a_folder_in_the_wrong_place_is_wrong_usage(
    arguments: list[str], fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["evaluate", *arguments])
    assert left.value.code == 2
    assert fault in capsys.readouterr().err


def test_missing_weights_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "mars", "--weights", str(tmp_path / "none")]) == 1
    assert "weights not found" in capsys.readouterr().err


def test_weights_that_are_not_truncated_make_no_row_of_truncation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "whole.safetensors")
    tiny_mars().save(path)
    assert main(["evaluate", "mars", "--weights", path, "--truncated", path, "--device", "cpu"]) == 1
    assert "has channel multiplexing" in capsys.readouterr().err
