"""The latencies in docs/daw.md are those of the ledger."""

import re
from pathlib import Path

from struck.codec.events.profiles import PROFILES
from struck.codec.hearing.resampler import StreamingResampler
from struck.realtime.engine.latency import make_ledger

PAGE = (Path(__file__).parents[3] / "docs" / "daw.md").read_text(encoding="utf-8")


def test_the_samples_to_enter_are_the_ledgers():
    told = re.findall(r"^\| `(live|tight|instant)` \| ([\d,]+) \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    resampling_seconds = StreamingResampler(48_000).latency_samples / 48_000
    for name, samples, milliseconds in told:
        ledger = make_ledger(PROFILES[name], 48_000, 64, resampling_seconds, None, 0.0, 0.0)
        assert int(samples.replace(",", "")) == ledger.engine_samples
        assert float(milliseconds) == round(1e3 * ledger.engine_samples / 48_000, 1)
    assert [name for name, _, _ in told] == ["live", "tight", "instant"]
