"""For all tests: one thread for matrix products, one sound font, Ctrl-C, and which tests are tried again."""

import os
import signal

import pytest

# As the command line has it; read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# What FluidSynth plays in a test sounds the same on every machine: with the font that `make test` installs
# (Debian's timgm6mb-soundfont), whatever else there is. Tests that need it are skipped where it is not.
os.environ["STRUCK_SOUND_FONTS"] = "/usr/share/sounds/sf2/TimGM6mb.sf2"
# A shell that starts something in the background lets it ignore Ctrl-C, and nohup the end of the terminal; so
# do all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

#: Markers of tests that measure the machine too: where the host of a virtual machine takes the processor away
#: for a tenth of a second, they fail though nothing is wrong. A fault of ours fails three times. Every rerun
#: is listed at the end of the output. No other test is tried again.
TRIED_AGAIN = ("jack", "wall_clock")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give marked tests two more tries, and the machine to themselves."""
    for item in items:
        if any(item.get_closest_marker(name) for name in TRIED_AGAIN):
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=2))
            item.add_marker(pytest.mark.alone)
