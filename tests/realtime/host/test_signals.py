"""Signals that ask a performance to end."""

import os
import signal
import time

import pytest

from struck.realtime.host.signals import StopFlag, StopSignals


def test_the_first_signal_asks_the_second_tells_the_third_interrupts(capfd):
    with pytest.raises(KeyboardInterrupt), StopSignals() as signals:
        assert not signals.stop.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.stop.is_set()
        assert capfd.readouterr().err == ""
        os.kill(os.getpid(), signal.SIGINT)
        assert capfd.readouterr().err == "struck: closing; interrupt again to quit at once\n"
        os.kill(os.getpid(), signal.SIGINT)
    signals.exit()  # Ctrl-C is how a show ends


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_others_end_in_order_and_show_in_the_status(number, status):
    before = signal.getsignal(number)
    with StopSignals() as signals:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.stop.is_set()
        assert signals.terminal_closed == (number == signal.SIGHUP)
    assert signal.getsignal(number) == before
    with pytest.raises(SystemExit) as left:
        signals.exit()
    assert left.value.code == status


def test_nohup_is_heeded():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not signals.stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_standard_error_may_be_gone(monkeypatch):
    def refuse(number, data):
        raise OSError("its terminal has gone")

    with StopSignals() as signals:
        monkeypatch.setattr(os, "write", refuse)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert signals.stop.is_set()


def test_a_flag_that_is_set_is_not_waited_for():
    flag = StopFlag()
    assert not flag.wait(0.001)
    flag.set()
    began = time.monotonic()
    assert flag.wait(60.0)
    assert time.monotonic() - began < 30.0
