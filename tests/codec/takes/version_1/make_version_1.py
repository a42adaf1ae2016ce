"""Makes the takes of version 1 that stand beside this file, with the last code that wrote that version.

Run at commit a22e53c: ``python tests/codec/takes/version_1/make_version_1.py``. Later code writes later
versions, so that the files are never made again; what must be read from them stands in ``expected.json``.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import numpy as np

from struck.codec.events.event_spec import VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.takes.takes import FORMAT_VERSION, TakeHeader, TakeReader, TakeWriter

HERE = Path(__file__).parent


def make_events(seconds: float, rate: float) -> list[Event]:
    """Events of four sources, ``rate`` per second, long enough for two keyframes where quantised."""
    rng = np.random.default_rng(1)
    count = int(seconds * rate)
    sources = rng.uniform(-0.7, 0.7, (4, VECTOR_SIZE))
    vectors = sources[rng.integers(0, 4, count)] + rng.normal(0.0, 0.1, (count, VECTOR_SIZE))
    gains = np.clip(rng.normal(-30.0, 8.0, count), -90.0, 12.0)
    onsets = np.sort(rng.uniform(0.0, seconds, count))
    return [
        Event(onset, gain, np.clip(vector, -1.0, 1.0))
        for onset, gain, vector in zip(onsets, gains, vectors, strict=True)
    ]


def digest(events: list[Event]) -> str:
    """SHA-256 of every number of ``events``, in the precision in which a take gives it back."""
    hashed = hashlib.sha256()
    for event in events:
        hashed.update(struct.pack("<2d", event.onset_seconds, event.gain_db))
        hashed.update(event.vector.astype("<f4").tobytes())
    return hashed.hexdigest()


def main() -> None:
    assert FORMAT_VERSION == 1, "only version 1's own code makes these files"
    expected = {}
    for name, exact, seconds, rate in (("quantised", False, 40.0, 3.0), ("exact", True, 6.0, 2.0)):
        path = HERE / f"{name}.mcap"
        header = TakeHeader("studio", "codec", "0123456789abcdef", source="made", exact=exact)
        with TakeWriter(path, header) as writer:
            for event in make_events(seconds, rate):
                writer.write_event(event)
            writer.write_midi(2.5, b"\x90\x3c\x40")
            writer.write_osc(3.0, b"/a\0\0,\0\0\0")
            writer.write_patch(3.5, "bells", room="hall")
            writer.write_mark(4.0, "dropout", blocks=3)
            writer.close(seconds)
        events = list(TakeReader(path).events())
        expected[name] = {"events": len(events), "sha256": digest(events)}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    main()
