"""Run as a program, for a crash to be seen: the JACK server dies and comes back under a show with backing."""

import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile

from struck.realtime.engine.state import OUT_PEAK
from struck.realtime.host.host import Host
from struck.realtime.host.settings import LiveSettings
from struck.realtime.screen.teller import Teller

from ...codec.playing.decoder_events import RANDOM_WEIGHTS
from ..rig.jack_rig import jack_server

failures: list[str] = []


def wait_for(what, condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            failures.append(what)
            return
        time.sleep(0.05)


with jack_server() as server, tempfile.TemporaryDirectory() as folder:
    loop = 0.2 * np.sin(2 * np.pi * 480 * np.arange(24_000) / 48_000)
    soundfile.write(Path(folder) / "loop.wav", loop.astype(np.float32), 48_000)
    settings = LiveSettings(input="none", output="jack:system", backing=Path(folder) / "loop.wav")
    stop = threading.Event()
    with Host(settings, RANDOM_WEIGHTS, Teller()) as performance:
        peak = performance.state.engine.levels[OUT_PEAK]

        def play() -> None:
            wait_for("backing sounds", lambda: peak.max() > 0.15)
            server.stop()
            wait_for("loss is seen", lambda: performance.gauges.counters()["device_losses"] == 1)
            peak[:] = 0.0
            server.start()
            wait_for("backing sounds again", lambda: peak.max() > 0.15)
            before = performance.position_seconds
            wait_for("it goes on", lambda: performance.position_seconds > before + 0.3)
            if peak.max() < 0.15:
                failures.append("backing stays")
            stop.set()

        stagehand = threading.Thread(target=play)
        stagehand.start()
        performance.run(stop)
        stagehand.join()
print("ok" if not failures else f"never: {', '.join(failures)}")
sys.exit(bool(failures))
