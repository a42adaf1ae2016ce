"""The rooms as a table, small to large: the decoder synthesises them, the encoder models their tails."""

from typing import Final

#: 60 dB decay time of each room in seconds, in the order of the field ``room``.
ROOM_T60_SECONDS: Final = (0.25, 0.6, 1.3, 2.6)
