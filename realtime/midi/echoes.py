"""Finds out that an input sends back what an output sends, and lets it be heard no more.

A cable from the output to the input, or a program that passes everything on, makes a loop: a note that comes
in sounds, goes out, comes in again, and never ends. What comes back is the same to the byte, on the channel
that was chosen for it here; a player's own notes are not, but for one now and then.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

#: What comes back within this of being sent is an echo.
_ECHO_SECONDS: Final = 0.5
#: So many notes on end that are echoes are a loop; what sets up a receiver is the same from others, too.
_LOOP_ECHOES: Final = 8
#: Without an echo for so long the loop has been opened.
_OPEN_SECONDS: Final = 10.0
_REMEMBERED: Final = 4_096


class EchoGuard:
    """Remembers what an output has sent lately; from any thread.

    Args:
        count: counts ``midi_echoes``, messages of a loop that were not heard.
        tell: takes one line for the performer.
    """

    def __init__(self, count: Callable[[str], None], tell: Callable[[str], None]) -> None:
        self._count, self._tell = count, tell
        self._lock = threading.Lock()
        self._sent: deque[tuple[float, bytes]] = deque(maxlen=_REMEMBERED)
        self._echoes: dict[str, int] = {}  # on end, by input
        self._looped: dict[str, float] = {}  # inputs that are a loop, and when they last were

    def note_sent(self, now_seconds: float, message: bytes) -> None:
        """The output has sent a message."""
        if 0x80 <= message[0] < 0xF0:
            with self._lock:
                self._sent.append((now_seconds, message))

    def refuses(self, source: str, now_seconds: float, message: bytes) -> bool:
        """Whether a message that an input has got is an echo, in a loop.

        Args:
            source: the input's name.
            now_seconds: as of :meth:`note_sent`.
            message: whole.
        """
        if not 0x80 <= message[0] < 0xF0:
            return False
        with self._lock:
            is_echo = self._take(now_seconds, message)
            if message[0] & 0xF0 == 0x90:
                self._echoes[source] = self._echoes.get(source, 0) + 1 if is_echo else 0
            if not is_echo:
                return False
            looped = source in self._looped
            if looped and now_seconds - self._looped[source] > _OPEN_SECONDS:
                del self._looped[source]
                looped, self._echoes[source] = False, 1
            if not looped and self._echoes.get(source, 0) < _LOOP_ECHOES:
                return False
            self._looped[source] = now_seconds
        if not looped:
            self._tell(f"MIDI in {source} sends back what goes out: a MIDI loop; that is played no more")
        self._count("midi_echoes")
        return True

    def _take(self, now_seconds: float, message: bytes) -> bool:
        """Whether the message was sent lately; it is then forgotten, for it can come back once. With the
        lock."""
        sent = self._sent
        while sent and now_seconds - sent[0][0] > _ECHO_SECONDS:
            sent.popleft()
        for place, (_, other) in enumerate(sent):
            if other == message:
                del sent[place]
                return True
        return False
