"""Signals that fall where Python would drop what they raise."""

import signal
import sys
from time import sleep

import pytest

from struck.realtime.screen.interruption import Interruption


class Destroyed:
    """Something during whose destruction a signal arrives."""

    def __init__(self, number):
        self._number = number

    def __del__(self):
        signal.raise_signal(self._number)
        [None for _ in range(10)]


def destroy(number):
    """Work that goes on for long unless it is interrupted."""
    Destroyed(number)
    sleep(20.0)


def test_sigterm_ends_in_one_line(capsys):
    with pytest.raises(SystemExit) as caught, Interruption():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 143
    assert capsys.readouterr().err == "struck: terminated\n"


def test_sigterm_in_a_destructor_ends_it_all_the_same(capsys):
    with pytest.raises(SystemExit) as caught, Interruption():
        destroy(signal.SIGTERM)
    assert caught.value.code == 143
    assert capsys.readouterr().err == "struck: terminated\n"


def test_ctrl_c_in_a_destructor_interrupts_all_the_same(capsys):
    with pytest.raises(KeyboardInterrupt), Interruption():
        destroy(signal.SIGINT)
    assert capsys.readouterr().err == ""


def test_other_faults_of_destructors_are_told_as_ever(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)

    class Faulty:
        def __del__(self):
            raise ValueError("fault")

    with Interruption():
        Faulty()
    assert [fault.exc_type for fault in told] == [ValueError]


def test_afterwards_all_is_as_before():
    before = signal.getsignal(signal.SIGTERM), sys.unraisablehook
    with Interruption():
        assert signal.getsignal(signal.SIGTERM) is not before[0]
    assert (signal.getsignal(signal.SIGTERM), sys.unraisablehook) == before
