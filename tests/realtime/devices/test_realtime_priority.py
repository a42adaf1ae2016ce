"""Threads that serve the audio thread have real-time scheduling where it has, below it."""

import os
import threading

import pytest

from struck.realtime.devices import realtime_priority as module
from struck.realtime.devices.realtime_priority import ServingThread, realtime_priority
from struck.realtime.devices.scheduling import change_scheduling

from ..rig.jack_rig import may_be_realtime

pytestmark = pytest.mark.skipif(not may_be_realtime(), reason="this process has no real-time rights")


class AudioThread:
    """Has real-time scheduling until it is ended."""

    def __enter__(self):
        self._end, began = threading.Event(), threading.Event()

        def run():
            change_scheduling(40)
            began.set()
            self._end.wait()

        self._thread = threading.Thread(target=run)
        self._thread.start()
        began.wait()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


def own():
    return os.sched_getscheduler(0), os.sched_getparam(0).sched_priority


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core: it stays as others are")
def test_it_comes_and_goes_with_the_audio_thread(monkeypatch):
    monkeypatch.setattr(module, "_ASK_SECONDS", 0.0)
    found = []

    def serve():
        thread = ServingThread()
        thread.follow()
        found.append(own())
        with AudioThread():
            thread.follow()
            found.append((*own(), realtime_priority()))
            thread.follow()
            found.append(own())
        thread.follow()
        found.append(own())
        thread.close()

    serving = threading.Thread(target=serve)
    serving.start()
    serving.join()
    usual, beside = (os.SCHED_OTHER, 0), (os.SCHED_FIFO, 29)
    # what it has itself is not taken for the audio thread's, and a rack's process stays above it
    assert found == [usual, (*beside, 30), beside, usual]
    assert module._serving == set()
