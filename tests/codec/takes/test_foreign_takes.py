"""Takes that the reference MCAP library has cut or merged: all that is there is read, what is not is told."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.takes.conversions import convert, describe_losses
from struck.codec.takes.takes import TakeHeader, TakeReader, TakeWriter, summarise_take

HEADER = TakeHeader("live", "codec", "0" * 16, source="a.wav")


def copy(out: Path, sources: Sequence[Path], *, start_seconds: float = 0.0, metadata: bool = True) -> Path:
    """What the tools ``filter`` and ``merge`` do: by time, equal channels made one, chunks packed anew."""
    readers = [make_reader(path.open("rb")) for path in sources]
    with out.open("wb") as file:
        writer = Writer(file, compression=CompressionType.LZ4)
        writer.start(profile="struck", library="a tool")
        for reader in readers:
            for record in reader.iter_metadata() if metadata else ():
                writer.add_metadata(record.name, record.metadata)
        found = [(m.log_time, n, s, c, m) for n, r in enumerate(readers) for s, c, m in r.iter_messages()]
        channels: dict[str, int] = {}
        for log_time, _, schema, channel, message in sorted(found, key=lambda row: row[:2]):
            if channel.topic not in channels:
                number = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.topic] = writer.register_channel(
                    channel.topic, channel.message_encoding, number
                )
            if log_time >= start_seconds * 1e9:
                writer.add_message(
                    channels[channel.topic], log_time, message.data, message.publish_time, message.sequence
                )
        writer.finish()
    return out


def make_take(
    path: Path, seed: int, seconds: float, exact: bool = False, header: TakeHeader = HEADER
) -> Path:
    """Four events a second, each amended and ended, and a mark at its end."""
    rng = np.random.default_rng(seed)
    with TakeWriter(path, TakeHeader(**{**header.to_dict(), "exact": exact, "source": path.name})) as writer:
        for i in range(int(4 * seconds)):
            onset = 0.25 * i + 0.01 * seed
            writer.write(Event(onset, -20.0, rng.uniform(-1, 1, VECTOR_SIZE), id=i))
            writer.write(Amendment(i, onset + 0.05, gain_db=-30.0))
            writer.write(End(i, onset + 0.1))
        writer.write_mark(seconds - 0.01, "last")
        writer.close(seconds)
    return path


def onsets(path: Path) -> list[float]:
    return [event.onset_seconds for event in TakeReader(path).events()]


@pytest.mark.parametrize("exact", [False, True])
def test_a_merged_take_has_all_its_events_and_its_true_length(tmp_path, exact):
    parts = [make_take(tmp_path / f"{seed}.mcap", seed, 20.0 * seed, exact) for seed in (1, 2, 3)]
    merged = copy(tmp_path / "merged.mcap", parts)
    take = TakeReader(merged)
    assert not take.truncated
    assert take.duration_seconds == 60.0
    assert take.describe_losses() == []
    wanted = sorted(event.onset_seconds for part in parts for event in TakeReader(part).events())
    assert sorted(onsets(merged)) == wanted
    vectors = {e.onset_seconds: e.vector for part in parts for e in TakeReader(part).events()}
    for event in take.events():
        np.testing.assert_array_equal(event.vector, vectors[event.onset_seconds])
    assert len(list(take.marks())) == 3
    summary = summarise_take(merged)
    assert (summary["events"], summary["amendments"], summary["ends"]) == (480, 480, 480)
    assert summary["gaps"] == 0


def test_ids_of_merged_takes_stay_apart(tmp_path):
    parts = [make_take(tmp_path / f"{seed}.mcap", seed, 10.0) for seed in (1, 2)]
    items = list(TakeReader(copy(tmp_path / "merged.mcap", parts)).items())
    begun = {item.id: item.onset_seconds for item in items if isinstance(item, Event)}
    assert len(begun) == 80
    for item in items:
        if isinstance(item, End):
            assert item.at_seconds == pytest.approx(begun[item.id] + 0.1, abs=1e-3)
    convert(tmp_path / "merged.mcap", tmp_path / "again.mcap")  # one stream of it
    again = [item for item in TakeReader(tmp_path / "again.mcap").items() if isinstance(item, End)]
    assert len(again) == 80
    assert describe_losses(tmp_path / "again.mcap") == []


def test_a_take_cut_at_its_beginning_says_how_much_is_missing(tmp_path):
    whole = make_take(tmp_path / "whole.mcap", 1, 70.0)
    cut = copy(tmp_path / "cut.mcap", [whole], start_seconds=10.0)
    left = onsets(cut)
    # Reading begins at the next keyframe, and there begins the event that sounds over it.
    assert left[1:] == [onset for onset in onsets(whole) if onset >= left[1]]
    assert 10.0 < left[0] < 31.0
    (line,) = TakeReader(cut).describe_losses()
    assert f"{280 - len(left[1:])} of 280 events are missing" in line
    assert "\n" not in line


def test_a_merge_of_a_cut_take_says_it_too(tmp_path):
    parts = [make_take(tmp_path / f"{seed}.mcap", seed, 40.0) for seed in (1, 2)]
    cut = copy(tmp_path / "cut.mcap", parts[:1], start_seconds=10.0)
    take = TakeReader(copy(tmp_path / "merged.mcap", [parts[1], cut]))
    found = {event.onset_seconds for event in take.events()}
    assert found > set(onsets(parts[1]))
    assert found > {onset for onset in onsets(parts[0]) if onset > 31.0}
    assert f"{320 - take.statistics().events} of 320 events are missing" in take.describe_losses()[0]


def test_a_take_merged_with_itself_has_everything_twice(tmp_path):
    part = make_take(tmp_path / "a.mcap", 1, 35.0)
    take = TakeReader(copy(tmp_path / "merged.mcap", [part, part]))
    assert sorted(event.onset_seconds for event in take.events()) == sorted(2 * onsets(part))
    assert take.describe_losses() == []


def test_a_take_without_its_header_says_what_to_do(tmp_path):
    bare = copy(tmp_path / "bare.mcap", [make_take(tmp_path / "a.mcap", 1, 5.0)], metadata=False)
    with pytest.raises(StruckError, match=r"let it keep them .*--include-metadata"):
        TakeReader(bare)


def test_takes_of_different_weights_are_not_played_as_one(tmp_path):
    other = TakeHeader("live", "other", "f" * 16)
    parts = [make_take(tmp_path / "a.mcap", 1, 5.0), make_take(tmp_path / "b.mcap", 2, 5.0, header=other)]
    with pytest.raises(StruckError, match="merged from takes of different weights"):
        TakeReader(copy(tmp_path / "merged.mcap", parts))


def test_a_whole_take_and_one_that_breaks_off(tmp_path):
    whole = make_take(tmp_path / "whole.mcap", 1, 40.0)
    assert describe_losses(whole) == []
    (tmp_path / "part.mcap").write_bytes(whole.read_bytes()[:-400])
    assert "is cut off" in describe_losses(tmp_path / "part.mcap")[0]
    assert describe_losses(tmp_path / "any.jsonl") == []
