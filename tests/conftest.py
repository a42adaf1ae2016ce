"""For all tests: one thread for numpy's matrix products, Ctrl-C, more than one try in real time."""

import os
import signal

import pytest

# As the command line has it; read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# A shell that starts something in the background lets it ignore Ctrl-C, and nohup the end of the terminal; so
# do all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests that run in real time two more tries: on a JACK server, by the clock, thread beside thread.

    Where the host of a virtual machine takes the processor away for a tenth of a second, they measure the
    host; a fault of ours fails three times.
    """
    for item in items:
        module = getattr(item, "module", None)
        if any(hasattr(module, name) for name in ("jack_server", "time", "threading")):
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=2))
