"""``struck`` whose phrases a fake MARS makes, each in 0.4 s: half of what a real one takes."""

import sys

from struck.realtime import process_maker
from struck.realtime.cli import main

process_maker.COMMAND = (sys.executable, "-m", "tests.realtime.fake_phrase_process", "--slow", "0.4")

if __name__ == "__main__":
    sys.exit(main())
