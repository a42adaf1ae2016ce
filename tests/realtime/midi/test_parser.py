"""The parser: what is whole is found, what is broken is counted, nothing raises."""

import random

import mido
import pytest

from struck.realtime.midi.parser import SYSEX_MAX_BYTES, parse


def every_kind() -> list[bytes]:
    messages = [
        mido.Message("note_on", channel=3, note=60, velocity=1),
        mido.Message("note_off", channel=15, note=0, velocity=127),
        mido.Message("polytouch", note=5, value=6),
        mido.Message("control_change", control=64, value=127),
        mido.Message("program_change", program=9),
        mido.Message("aftertouch", value=8),
        mido.Message("pitchwheel", pitch=-8192),
        mido.Message("sysex", data=(1, 2, 3)),
        mido.Message("quarter_frame", frame_type=1, frame_value=2),
        mido.Message("songpos", pos=300),
        mido.Message("song_select", song=4),
        mido.Message("tune_request"),
        *(mido.Message(name) for name in ("clock", "start", "continue", "stop", "active_sensing", "reset")),
    ]
    return [bytes(message.bytes()) for message in messages]


def test_every_kind_of_message_passes_alone_and_in_a_row():
    for message in every_kind():
        assert parse(message) == ([message], 0)
    assert parse(b"".join(every_kind())) == (every_kind(), 0)


@pytest.mark.parametrize(
    ("data", "messages", "faults"),
    [
        ("", [], 0),
        ("90 3c", [], 1),
        ("90 3c 64 3e", ["90 3c 64"], 1),
        ("90 3c 64 3e 40 c1 07 08", ["90 3c 64", "90 3e 40", "c1 07", "c1 08"], 0),  # running status
        ("3c 64 90 3c 64", ["90 3c 64"], 1),  # data without a status are one fault
        ("90 f8 3c fa 64", ["f8", "fa", "90 3c 64"], 0),  # real time within a message
        ("f0 01 f8 02 f7", ["f8", "f0 01 02 f7"], 0),
        ("f0 01 02", [], 1),
        ("f0 01 90 3c 64", ["90 3c 64"], 1),
        ("f0 f7", ["f0 f7"], 0),
        ("f7", [], 1),
        ("f4 01 02 90 3c 64", ["90 3c 64"], 1),
        ("f9", [], 1),
        ("f1", [], 1),
        ("90 3c 64 f6 3c 64", ["90 3c 64", "f6"], 1),  # a system message ends running status
    ],
)
def test_broken_bytes(data, messages, faults):
    assert parse(bytes.fromhex(data)) == ([bytes.fromhex(message) for message in messages], faults)


def test_a_huge_system_exclusive_is_one_fault():
    data = b"\xf0" + bytes(SYSEX_MAX_BYTES - 1) + b"\xf7"
    assert parse(data + b"\xf8") == ([b"\xf8"], 1)
    assert parse(data[:-3] + b"\xf7") == ([data[:-3] + b"\xf7"], 0)


def check(message: bytes) -> None:
    mido.Message.from_bytes(message)  # raises for anything that is not one whole message


def test_a_hundred_thousand_random_messages():
    rng = random.Random(7)
    found = faults = 0
    for _ in range(100_000):
        data = rng.randbytes(rng.randrange(1, 9))
        messages, faulty = parse(data)
        assert sum(map(len, messages)) <= 2 * len(data)  # running status may add a byte to each
        for message in set(messages):
            check(message)
        found += len(messages)
        faults += faulty
    assert found > 10_000
    assert faults > 10_000


def test_damaged_streams_keep_what_is_whole():
    rng = random.Random(8)
    for _ in range(300):
        before, after = rng.sample(every_kind(), 2)
        garbage = rng.randbytes(rng.randrange(1, 20))
        messages, _ = parse(b"\xf6" + before + garbage + b"\xf6" + after)
        assert messages[-1] == after
        assert messages[0] == b"\xf6"
