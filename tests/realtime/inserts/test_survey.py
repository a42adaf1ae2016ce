"""LV2 plug-ins of Debian's packages, each in a process of its own: opened, run, state saved and restored.

All of them take minutes: here some of each package; ``python -m tests.realtime.inserts.test_survey`` runs all
that lie on LV2_PATH and prints a table. Debian has 577 in eleven packages: mda-lv2 zam-plugins
dragonfly-reverb-lv2 lsp-plugins-lv2 calf-plugins x42-plugins guitarix-lv2 swh-lv2 zynaddsubfx-lv2
dpf-plugins-lv2 lv2-examples.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from struck.codec.events.errors import StruckError
from struck.realtime.inserts.hosts.catalogue import Catalogue
from struck.realtime.inserts.hosts.probe import probe_plugin

#: By what stands in the URIs; the first that does counts.
PACKAGES = {
    "mda-lv2": "plugins/mda",
    "zam-plugins": "zamaudio",
    "dragonfly-reverb-lv2": "dragonfly",
    "lsp-plugins-lv2": "lsp-plug",
    "calf-plugins": "calf.sourceforge",
    "x42-plugins": "gareus.org",
    "guitarix-lv2": "guitarix",
    "swh-lv2": "plugin.org.uk",
    "zynaddsubfx-lv2": "zynaddsubfx",
    "lv2-examples": "lv2plug.in",
    "all others": "",
}
PART = 12


def installed():
    if not any(Path("/usr/lib/lv2").glob("*.lv2")):
        return []
    try:
        return [i for i in Catalogue(None, lambda line: None)._lv2() if not i.refused]
    except StruckError:
        return []


def survey(info):
    """None where all went well, else what did not."""
    try:
        found = probe_plugin("lv2", info.identifier)
    except StruckError as error:
        return str(error)
    if not found["is_finite"]:
        return f"{info.identifier} gives sound that is no number"
    if not found["keeps_state"]:
        return f"{info.identifier} does not keep its state"
    return None


def test_plugins_of_debian_run_and_keep_their_state():
    everything = installed()
    if not everything:
        pytest.skip("no LV2 plug-ins are installed (Debian: liblilv-0-0 mda-lv2 zam-plugins ...)")
    chosen = everything[:: max(1, len(everything) // PART)]
    assert [problem for problem in map(survey, chosen) if problem] == []


def main():
    began = time.perf_counter()
    everything = installed()
    seconds, used = time.perf_counter() - began, time.process_time()
    print(f"{len(everything)} plug-ins found in {seconds:.1f} s, {used:.1f} s of them the processor's")
    with ThreadPoolExecutor(2) as pool:
        problems = list(pool.map(survey, everything))
    names = [next(name for name, part in PACKAGES.items() if part in i.identifier) for i in everything]
    for package in PACKAGES:
        own = [problem for name, problem in zip(names, problems, strict=True) if name == package]
        if own:
            print(f"{package}: {sum(problem is None for problem in own)} of {len(own)}")
    for problem in filter(None, problems):
        print(problem)
    return 0 if sum(problem is None for problem in problems) >= 0.99 * len(problems) else 1


if __name__ == "__main__":
    sys.exit(main())
