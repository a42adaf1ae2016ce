"""Programs are changed while notes sound: no click, and each note ends with its note-off."""

import pytest


@pytest.mark.jack
def test_a_hundred_switches_under_a_sounding_performance(tmp_path):
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed (make live)")
    from ...bench.bench_switches import run

    found = run(tmp_path, 100)
    assert found["peak_db"] > -40.0
    assert found["step_db"] < -50.0
    assert found["left_after_last_release_db"] < -60.0
    assert found["refused"] == 0
    assert found["p99"] < 100.0
    assert found["events"] == found["ends"]
    assert found["end_after_note_off_ms"]["most"] < 20.0
    if found["switches"] < 100 and found["lost_blocks"]:
        pytest.skip(f"JACK lost {found['lost_blocks']} periods, and with them messages of MIDI")
    assert found["switches"] == 100
    assert found["skipped"] < 50  # of a burst the last counts; these are no burst
    assert found["notes"] == found["events"] == 50
