"""docs/live.md says what the code does."""

import ast
import inspect
import re
import textwrap
from pathlib import Path

import pytest

from struck.codec.events.profiles import PROFILES
from struck.codec.hearing.resampler import StreamingResampler
from struck.patches.patch import shipped_patches
from struck.realtime.commands.cli import build_parser
from struck.realtime.devices import bridge
from struck.realtime.devices.driver import DeviceDriver
from struck.realtime.engine import latency as ledger
from struck.realtime.engine.latency import make_ledger
from struck.realtime.engine.parameters import PARAMETER
from struck.realtime.host.gauges import Gauges

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "live.md").read_text(encoding="utf-8")
TABLE = PAGE.split("## Counters")[1].split("\n## ")[0]
NAMES = [
    name for row in re.findall(r"^\| (`.*?) \|", TABLE, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
]


def counted_names():
    """Every text that stands in the first argument of a call of ``count``, or of ``_count``."""
    for path in sorted((ROOT / "realtime").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in ("count", "_count"):
                    for part in ast.walk(node.args[0]):
                        if isinstance(part, ast.Constant) and re.fullmatch(r"[a-z]\w+[a-z]", str(part.value)):
                            yield part.value


def keys(function):
    """Keys of the dicts that a function writes down."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from (key.value for key in node.keys if isinstance(key, ast.Constant))
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            yield node.slice.value


def test_every_counter_is_explained_once_and_none_that_does_not_exist():
    counters = {*counted_names(), "events_heard", "events_midi", "events_osc", "events_phrase", "events_held"}
    counters |= {"record_failed", "sound_record_failed"}  # named where the recorders are made
    for function in (Gauges.counters, bridge.bridge_stats, DeviceDriver.stats):
        counters |= set(keys(function))
    assert len(counters) > 35
    assert sorted(NAMES) == sorted(counters)


def test_every_counter_has_a_cure():
    for row in re.findall(r"^\| `.*$", TABLE, re.MULTILINE):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 3
        assert all(cells)


def latency(profile, rate=48_000):
    resampling_seconds = StreamingResampler(rate).latency_samples / rate
    return make_ledger(PROFILES[profile], rate, 64, resampling_seconds, None, 0.0, 128 / rate)


def test_the_ledgers_line_is_one_that_it_writes():
    assert f"    {latency('tight').describe()}\n" in PAGE
    terms = [part.rsplit(" ", 1)[0] for part in latency("tight").describe().split("= ")[1].split(" + ")]
    for term in terms:
        assert re.search(rf"^\| [^|]*{term}", PAGE, re.MULTILINE)
    for profile, verb in (("instant", "has "), ("tight", "has "), ("live", "")):
        assert f"`{profile}` {verb}{1e3 * latency(profile).total_seconds:.0f} ms" in PAGE


@pytest.mark.parametrize("profile", ledger._COMPUTE_SECONDS)
def test_profiles_look_as_far_ahead_as_they_do(profile):
    figures = latency(profile)
    row = f"| `{profile}` | {1e3 * figures.lookahead_seconds:.0f} ms | {1e3 * figures.hop_seconds:.0f} ms |"
    assert row in PAGE


def test_commands_that_stand_there_can_be_typed():
    lines = re.findall(r"^    struck (.*)$", PAGE, re.MULTILINE)
    assert len(lines) > 15
    for line in lines:
        words = re.split(r"\s{2,}", line)[0].replace('"ALSA:HDA Intel"', "ALSA:HDA").split()
        options = build_parser().parse_args(words)
        if words[0] == "live":
            assert options.patch in shipped_patches()


def test_controls_and_files_that_stand_there_exist():
    for name in re.findall(r"/struck/control/(\w+)|control `(\w+)`", PAGE):
        assert (name[0] or name[1]) in PARAMETER
    for path in re.findall(r"patches/clients/[\w.-]+\w|\]\((\w+\.md)\)", PAGE):
        assert not path or (ROOT / "docs" / path).is_file()
    for path in re.findall(r"patches/clients/[\w-]+\.\w+", PAGE):
        assert (ROOT / path).is_file()
