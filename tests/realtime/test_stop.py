"""Ctrl-C and SIGTERM ask for the end; nothing is torn."""

import signal

import pytest

from struck.realtime.stop import StopSignals


@pytest.fixture
def handlers():
    """The handlers of this process, put back whatever a test does."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_sets_stop_and_raises_nothing(handlers, number):
    with StopSignals() as signals:
        assert not signals.stop.is_set()
        signal.raise_signal(number)
        assert signals.stop.is_set()


def test_the_second_says_what_a_third_does(handlers, capsys):
    with StopSignals() as signals:
        signal.raise_signal(signal.SIGINT)
        assert capsys.readouterr().err == ""
        signal.raise_signal(signal.SIGINT)
        assert capsys.readouterr().err == "struck: closing; once more leaves at once\n"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert signals.stop.is_set()


def test_many_times_sigterm_never_interrupts_closing(handlers):
    with StopSignals():
        for _ in range(5):
            signal.raise_signal(signal.SIGTERM)


def test_ctrl_c_is_how_a_show_ends_and_sigterm_is_told_by_the_status(handlers):
    with StopSignals() as signals:
        signal.raise_signal(signal.SIGINT)
    signals.exit()
    with StopSignals() as signals:
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left:
        signals.exit()
    assert left.value.code == 143


def test_the_handlers_before_are_put_back(handlers):
    with pytest.raises(ZeroDivisionError), StopSignals():
        raise ZeroDivisionError
    assert {number: signal.getsignal(number) for number in handlers} == handlers
