"""A phrase process with a fake MARS; ``--slow S``: a phrase takes S seconds, ``--die``: it dies of one."""

import os
import sys

from struck.realtime.phrases.process_server import main

from .phrase_fakes import FakeMars


class Dying(FakeMars):
    def generate(self, conditions, **options):
        os._exit(9)


def load(path, device, report):
    mars = (Dying if "--die" in sys.argv else FakeMars).load(path, device, report)
    if "--slow" in sys.argv:
        mars.delay_seconds = float(sys.argv[sys.argv.index("--slow") + 1])
    report("fake weights")
    return mars


if __name__ == "__main__":
    main(load)
