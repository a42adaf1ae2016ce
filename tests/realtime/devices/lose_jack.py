"""Run as a program, for a crash or a hang to be seen: the JACK server dies or freezes under a driver."""

import os
import signal
import sys
import time

from struck.realtime.devices.devices import read_devices
from struck.realtime.devices.driver import DeviceDriver

from ..rig.jack_rig import jack_server
from .stream_callbacks import Counting

lines: list[str] = []


def wait_for(driver: DeviceDriver, state: str, seconds: float) -> float:
    """Poll until the driver is in that state; after how long."""
    begin = time.monotonic()
    while driver.poll() != state:
        assert time.monotonic() - begin < seconds, f"still {driver.state} after {seconds} s: {lines}"
        time.sleep(0.05)
    return time.monotonic() - begin


def run(driver: DeviceDriver, callback: Counting) -> None:
    """It runs, and blocks come."""
    before, end = callback.calls(), time.monotonic() + 20.0
    while callback.calls() <= before + 10:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert driver.is_active


with jack_server() as server:
    devices = read_devices()
    callback = Counting()
    driver = DeviceDriver(
        devices.find("jack:system", "input"),
        devices.find("jack:system", "output"),
        48_000,
        64,
        callback,
        callback.calls,
        lines.append,
        lambda: lines.append("on_lost"),
    )
    driver.start()
    run(driver, callback)

    if sys.argv[1] == "freeze":
        os.kill(server.pid, signal.SIGSTOP)
        try:
            wait_for(driver, "lost", 20.0)
            assert "no audio" in lines[0]
            time.sleep(0.6)
            begin = time.monotonic()
            assert driver.poll() == "lost"
            assert time.monotonic() - begin < 4.0  # opened, it would not answer for five
        finally:
            os.kill(server.pid, signal.SIGCONT)
        wait_for(driver, "running", 30.0)
        run(driver, callback)
        driver.close()
    else:
        for end in (server.stop, server.kill):
            lines.clear()
            end()
            wait_for(driver, "lost", 20.0)
            assert lines[0].startswith("JACK:system -> JACK:system is gone ("), lines
            assert lines[1:] == ["on_lost"]
            time.sleep(0.6)
            assert driver.poll() == "lost"
            server.start()
            wait_for(driver, "running", 30.0)
            assert lines[2:] == ["JACK:system -> JACK:system is back"]
            run(driver, callback)
            assert "struck:in_1" in server.tool("jack_lsp", "-c", "system:capture_1")
            assert "struck:out_2" in server.tool("jack_lsp", "-c", "system:playback_2")
        server.stop()
        driver.close()  # before anybody polled
        assert driver.finished
print("ok")
