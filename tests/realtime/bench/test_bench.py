"""The benchmarks' parts: what they measure is checked, not how fast this machine is."""

import subprocess

import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.codec.files.audio_files import open_audio
from struck.realtime.bench import phrase as bench_phrase
from struck.realtime.bench.decoder import time_blocks, time_burst
from struck.realtime.bench.encoder import write_performance
from struck.realtime.bench.engine import time_flood, time_panic
from struck.realtime.bench.jobs import ONE_THREAD, describe_load, run_job
from struck.realtime.bench.loaded_callback import BLOCK_FRAMES, LoadedCallback
from struck.realtime.bench.storm import START_COUNT, run_storm
from struck.realtime.bench.usage import resident_bytes
from struck.realtime.engine.cycles import CycleClock
from struck.realtime.engine.rings import LOST


def test_the_performance_is_repeated_to_the_length_asked_for(tmp_path):
    with open_audio(write_performance(tmp_path / "long.wav", 20.0)) as reader:
        assert reader.duration_seconds == 20.0
        sound = reader.read(round(20.0 * reader.rate))
    period = 716_898  # samples of the performance
    assert np.allclose(sound[period:][:1000], sound[:1000], atol=1e-3)


def test_an_encoding_in_a_process_of_its_own(tmp_path):
    source = write_performance(tmp_path / "short.wav", 1.5)
    found = run_job("encode", source, "live", 2, environment=ONE_THREAD)
    assert found["duration_seconds"] == 1.5
    assert found["event_count"] > 0
    assert len(found["wall_seconds"]) == len(found["processor_seconds"]) == 2
    assert found["peak_bytes"] > 50e6


def test_a_performance_in_a_process_of_its_own(tmp_path):
    source = write_performance(tmp_path / "short.wav", 1.5)
    found = run_job("perform", source, "instant", 1, environment=ONE_THREAD)
    assert found["hearing_percent"][0] > 0.0
    assert found["longest_piece_seconds"][0] > 0.0
    assert found["total_seconds"] < 0.030


def test_a_failed_job_is_an_error(tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        run_job("render", tmp_path / "none.mcap", tmp_path / "out.wav", 1)


def test_the_bench_of_phrases_tells_every_part_and_what_it_did_not_measure(tmp_path, monkeypatch):
    weights = tmp_path / "mars.safetensors"
    lines = []
    with pytest.raises(StruckError, match="MARS weights not found"):
        bench_phrase.run(lines.append, weights=str(weights))
    weights.touch()
    took = [{"tokens": 0.3, "spectrogram": 0.1, "phase": part} for part in (0.1, 0.2, 0.6)]
    answers = {
        "first_phrase": {"import": 2.0, "load": 0.5, "phrase": 1.5, "total": 4.0, "cuda": False},
        "phrases": {"seconds": took, "processor_seconds": [0.5, 0.7, 0.9]},
        "phases": {
            "heap_seconds": [0.1], "heap_convergence_db": [-20.0],
            "griffin_lim_seconds": [2.0], "griffin_lim_convergence_db": [-18.0],
        },
    }  # fmt: skip
    asked = []

    def run_job(name, *arguments, environment):
        asked.append((name, environment["OMP_NUM_THREADS"]))
        return answers[name]

    monkeypatch.setattr(bench_phrase, "run_job", run_job)
    found = bench_phrase.run(lines.append, weights=str(weights))
    assert asked == [("first_phrase", "2"), *2 * [("phrases", "1"), ("phrases", "2")], ("phases", "2")]
    assert found["busy_cpu_2_threads"]["processor_seconds"] == pytest.approx(0.7)
    assert found["cpu_1_threads"]["median_seconds"] == pytest.approx(0.6)
    assert found["cpu_1_threads"]["worst_seconds"] == pytest.approx(1.0)
    assert found["cuda"] is None
    assert found["heap_speed_up"] == pytest.approx(20.0)
    assert any(line.startswith("cuda        not measured") for line in lines)


@pytest.mark.alone
def test_memory_and_load():
    before = resident_bytes(peak=False)
    # More than was given back since the most that this process ever had.
    block = np.ones((resident_bytes(peak=True) - before) // 8 + 8_000_000)
    assert resident_bytes(peak=True) - before > 0.9 * block.nbytes
    assert "cores" in describe_load()


def test_timed_blocks_sound():
    times = time_blocks(voice_count=70, block_count=5, block_frames=32)
    assert times.modes == 70 * 64
    assert np.all(times.wall > 0.0)
    assert times.own_worst <= np.max(times.wall)
    assert all(seconds > 0.0 for seconds in time_burst(3, turns=2))


def test_the_stage_of_the_engines_bench_has_all_voices_and_two_rooms_throughout():
    stage = LoadedCallback(CycleClock(), voice_count=20)
    for _ in range(3):
        shares = stage.run(300, BLOCK_FRAMES)
        assert (stage.voice_count, stage.room_count) == (20, 2)
        assert np.all(shares.busy > 0.0)
    assert 0.0 < shares.percent(0.5) <= shares.percent(0.999) <= shares.percent(1.0)
    assert shares.own_p999_percent <= shares.percent(1.0)
    assert stage.engine.capture.index[LOST] == stage.engine.recording.index[LOST] == 0
    assert stage.engine.commands.index[LOST] == 0
    assert time_flood(stage, turns=2) > 0.0
    assert time_panic(stage, turns=2) > 0.0
    assert (stage.voice_count, stage.room_count) == (0, 0)


def test_in_a_storm_everything_is_done_and_what_was_put_off_is_counted():
    storm = run_storm(CycleClock(), turns=1)
    counts = storm.counts
    assert counts["started"] == counts["stolen"] == START_COUNT
    assert counts["starts_delayed"] == counts["late"] == START_COUNT - 16  # all but one cell's
    assert counts["amended"] > 0
    assert counts["told_sounded"] == 16
    assert counts["told_late"] == START_COUNT - 16
    assert len(storm.own) == 750
