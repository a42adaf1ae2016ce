"""``struck`` whose phrases a fake MARS makes, each in 0.4 s: half of what a real one takes."""

import sys

from struck.realtime.commands.cli import main
from struck.realtime.phrases import process_client as process_maker

process_maker.COMMAND = (sys.executable, "-m", "tests.realtime.phrases.fake_phrase_process", "--slow", "0.4")

if __name__ == "__main__":
    sys.exit(main())
