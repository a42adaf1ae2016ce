"""The transport of a JACK server is followed, by a timebase master in another process."""

import subprocess
import sys
import time

import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.realtime.tempo.jack_transport import JackTransportLeader, open_transport
from struck.realtime.tempo.leader import ClockState

from .jack_rig import jack_server, may_be_realtime

RATE, BLOCK = 48_000, 128

MASTER = """
import sys
import jack

tempo = float(sys.argv[1])
client = jack.Client("master", no_start_server=True)

def tell(state, blocksize, position, new_position):
    ticks = position.frame / position.frame_rate * tempo / 60.0 * 1920.0
    beats, tick = divmod(int(ticks), 1920)
    position.valid = jack._lib.JackPositionBBT
    position.bar, position.beat, position.tick = beats // 4 + 1, beats % 4 + 1, tick
    position.bar_start_tick, position.beats_per_bar, position.beat_type = 0.0, 4.0, 4.0
    position.ticks_per_beat, position.beats_per_minute = 1920.0, tempo

client.activate()
client.set_timebase_callback(tell)
client.transport_frame = 0
client.transport_start()
print("rolls", flush=True)
for line in sys.stdin:
    client.transport_stop()
    print("stands", flush=True)
"""


@pytest.mark.jack
@pytest.mark.parametrize("tempo", [60.0, 120.0, 174.0])
def test_the_transport_is_followed(tempo, monkeypatch):
    jack = pytest.importorskip("jack", reason="JACK-Client is not installed (pip install JACK-Client)")
    with jack_server(RATE, BLOCK, may_be_realtime()) as server:
        monkeypatch.setenv("JACK_DEFAULT_SERVER", server.name)
        read, release = open_transport()
        leader = JackTransportLeader(read, 100.0, release)
        witness = jack.Client("witness", no_start_server=True)
        assert leader.line() is None
        process = subprocess.Popen(
            [sys.executable, "-c", MASTER, f"{tempo:g}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout.readline() == "rolls\n"
            time.sleep(1.0)
            errors_ms, songs, reads = [], set(), []
            for _ in range(40):
                before = time.perf_counter()
                frame = witness.transport_frame
                seconds = 0.5 * (before + time.perf_counter())
                line = leader.line()
                assert line.tempo_bpm == pytest.approx(tempo, rel=1e-3)
                wanted = frame / RATE * tempo / 60.0
                errors_ms.append(1e3 * line.beat_seconds * (line.beat_at(seconds) - wanted))
                songs.add(line.song)
                reads.append((seconds, frame))
                time.sleep(0.025)
            assert leader.state(0.0) is ClockState.LOCKED
            assert len(songs) == 1
            # A server that is starved counts fewer frames than the time has: then there are two truths.
            (first, begin), (last, end) = reads[0], reads[-1]
            pace = (end - begin) / RATE / (last - first)
            if abs(pace - 1.0) > 0.005:
                pytest.skip(f"JACK's server runs at {100.0 * pace:.1f} % of its rate on this machine now")
            # Single reads go by the latest block, which may have begun late; most of them have not.
            assert abs(float(np.median(errors_ms))) < 2.0, errors_ms
            print("stop", file=process.stdin, flush=True)
            assert process.stdout.readline() == "stands\n"
            time.sleep(0.2)
            assert leader.state(0.0) is ClockState.WAITING
            assert leader.line().tempo_bpm == pytest.approx(tempo, rel=1e-3)
        finally:
            process.kill()
            process.communicate()
            witness.close()
            leader.close()


@pytest.mark.jack
def test_without_a_server_it_is_refused(monkeypatch):
    pytest.importorskip("jack", reason="JACK-Client is not installed (pip install JACK-Client)")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody")
    with pytest.raises(StruckError, match="there is no JACK server"):
        open_transport()
