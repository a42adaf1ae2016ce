"""A MIDI input of a JACK client of our own: each message has its frame.

rtmidi gives all messages of a period the time at which JACK's thread looked at them, and the frame within the
period is lost: with periods of 1,024 frames notes and clocks would be off by up to 21 ms, in turn.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import carray, int64, typeof, types

from ...codec.events.errors import StruckError
from ..devices.jack import MIDI, JackLibrary
from ..engine.address_tables import make_address_table, state_reader
from ..engine.c_pointers import as_pointer, c_callback, call_c
from ..engine.rings import READ, WRITE, RecordRing, make_record_ring, pop_row, push_row

#: Messages that may wait: more than four seconds of the densest stream that is played.
_QUEUE_MESSAGES: Final = 8_192
#: The longest message that is taken: a vector as system exclusive has 164 bytes.
_LONGEST_BYTES: Final = 180
#: Bytes that one of a row's numbers holds without a loss.
_BYTES_PER_NUMBER: Final = 6

# columns of a row: when the period began by JACK's clock, in microseconds, as JACK smooths it; frame in it;
# bytes of the message; then these
_BEGAN, _AT, _SIZE, _BYTES = range(4)
_ROW_SIZE: Final = _BYTES + _LONGEST_BYTES // _BYTES_PER_NUMBER

# places in _State.words: addresses of libjack's functions, of the client and of its port
_GET_BUFFER, _COUNT_EVENTS, _GET_EVENT, _LAST_FRAME, _TO_TIME, _CLIENT, _PORT = range(7)


class _State(NamedTuple):
    """What the compiled callback knows."""

    ring: RecordRing
    words: np.ndarray  # int64 [7]
    event: np.ndarray  # int64 [3] a jack_midi_event_t: frame in the period, bytes, their address
    row: np.ndarray  # float64 [_ROW_SIZE]


def _make_state() -> _State:
    ring = make_record_ring(_QUEUE_MESSAGES, _ROW_SIZE)
    return _State(ring, np.zeros(7, np.int64), np.zeros(3, np.int64), np.zeros(_ROW_SIZE))


_state_at = state_reader(typeof(_make_state()))


@c_callback(types.int32(types.uint32, types.voidptr))
def _process(frames, userdata):
    """JACK's thread: what came in this period goes into the ring; what has no room there is lost."""
    state = _state_at(userdata)
    words, event, row = state.words, state.event, state.row
    buffer = call_c(words[_GET_BUFFER], words[_PORT], int64(frames), int64(0))
    count = call_c(words[_COUNT_EVENTS], buffer, int64(0), int64(0)) & int64(0x7FFFFFFF)
    first = call_c(words[_LAST_FRAME], words[_CLIENT], int64(0), int64(0)) & int64(0xFFFFFFFF)
    began = call_c(words[_TO_TIME], words[_CLIENT], first, int64(0))
    for number in range(count):
        failed = call_c(words[_GET_EVENT], event.ctypes.data, buffer, int64(number)) & int64(0xFFFFFFFF)
        size = event[1]
        if failed != 0 or size < 1 or size > _LONGEST_BYTES:
            continue
        data = carray(as_pointer(event[2]), (size,), np.uint8)
        row[_BEGAN] = began
        row[_AT] = event[0] & int64(0xFFFFFFFF)
        row[_SIZE] = size
        numbers = (size + _BYTES_PER_NUMBER - 1) // _BYTES_PER_NUMBER
        for n in range(numbers):
            packed = 0
            for i in range(min(_BYTES_PER_NUMBER, size - n * _BYTES_PER_NUMBER)):
                packed += int64(data[n * _BYTES_PER_NUMBER + i]) << (8 * i)
            row[_BYTES + n] = packed
        push_row(state.ring, row[: _BYTES + numbers])
    return 0


class JackMidiInput:
    """One port, used as one of ``rtmidi.MidiIn``.

    Args:
        library: libjack.
        name: of the client; the server may give it a suffix.

    Raises:
        StruckError: no server answers.
    """

    def __init__(self, library: JackLibrary, name: str) -> None:
        client = library.open_client(name)
        if client is None:
            raise StruckError("jack MIDI does not answer")
        self._client, self._library = client, library
        self._state = _make_state()
        self._table = make_address_table(self._state)
        client.keep = self._state, self._table  # its thread may outlive us
        self._row = np.zeros(_ROW_SIZE)
        self._is_open = False
        self._began_microseconds: float | None = None  # the period of the latest message
        self._is_exact = False
        #: Of the latest message: how much later than the beginning of its period.
        self.offset_seconds = 0.0

    @property
    def step_seconds(self) -> float:
        """To which the times of messages are known: the period, until one has come within a period.

        Senders of rtmidi's kind put all at its beginning.
        """
        return 0.0 if self._is_exact else self._client.period_frames / self._client.rate

    def get_ports(self) -> list[str]:
        """Ports that one can listen to."""
        return [] if self._client.is_dead else self._client.find_ports(True, MIDI)

    def open_virtual_port(self, name: str) -> None:
        """Open our port, for others to connect."""
        self._open(name)

    def open_port(self, number: int, name: str) -> None:
        """Open our port and connect it to one of :meth:`get_ports`."""
        source = self.get_ports()[number]
        self._open(name)
        self._client.connect([(source, f"{self._client.name}:{name}")])

    def _open(self, name: str) -> None:
        client, words = self._client, self._state.words
        words[_PORT] = client.add_port(name, is_input=True, kind=MIDI)
        words[_CLIENT] = client.address
        for place, function in (
            (_GET_BUFFER, "jack_port_get_buffer"),
            (_COUNT_EVENTS, "jack_midi_get_event_count"),
            (_GET_EVENT, "jack_midi_event_get"),
            (_LAST_FRAME, "jack_last_frame_time"),
            (_TO_TIME, "jack_frames_to_time"),
        ):
            words[place] = self._library.address_of(function)
        client.set_callbacks(_process.address, self._table.ctypes.data)
        client.activate()
        self._is_open = True

    def is_port_open(self) -> bool:
        """Whether our port is open."""
        return self._is_open

    def ignore_types(self, **kinds: bool) -> None:
        """Nothing is left out here."""

    def get_message(self) -> tuple[bytes, float] | None:
        """The oldest message that waits, and the time from its predecessor's period to its own in seconds."""
        index = self._state.ring.index
        if index[READ] == index[WRITE] or not pop_row(self._state.ring, self._row):
            return None
        row = self._row
        size, began = int(row[_SIZE]), float(row[_BEGAN])
        numbers = row[_BYTES : _BYTES - (-size // _BYTES_PER_NUMBER)].astype(np.int64)
        data = b"".join(int(n).to_bytes(_BYTES_PER_NUMBER, "little") for n in numbers)[:size]
        before, self._began_microseconds = self._began_microseconds, began
        self._is_exact = self._is_exact or row[_AT] > 0.0
        self.offset_seconds = float(row[_AT]) / self._client.rate
        return data, 0.0 if before is None else 1e-6 * (began - before)

    def close_port(self) -> None:
        """No message comes any more."""
        self._is_open = False

    def delete(self) -> None:
        """Leave the server."""
        self._is_open = False
        self._client.close()
