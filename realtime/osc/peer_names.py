"""What senders call the events that they play: their own ids, each to the one that the stage gave."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from .addresses import Peer

#: Names kept of one sender, and senders kept; the longest unused go first.
NAMES_MAX: Final = 1_024
SENDERS_MAX: Final = 64


class PeerNames:
    """Finds the event that an id in a message means.

    Two programs that know nothing of each other may play events with the same ids. So an id means the
    sender's own event of that id, if it played one, and otherwise the event that the stage gave the id.
    """

    def __init__(self) -> None:
        self._senders: OrderedDict[Peer, OrderedDict[int, int]] = OrderedDict()

    def give(self, peer: Peer, name: Any, id: int) -> None:
        """Remember what ``peer`` called the stage's event ``id``; what is no number names nothing."""
        if not isinstance(name, int | float) or name != name or abs(name) > 2**31:
            return
        names = self._senders.setdefault(peer, OrderedDict())
        self._senders.move_to_end(peer)
        names[round(name)] = id
        names.move_to_end(round(name))
        if len(names) > NAMES_MAX:
            names.popitem(last=False)
        if len(self._senders) > SENDERS_MAX:
            self._senders.popitem(last=False)

    def find(self, peer: Peer, name: int) -> int:
        """The stage's id of the event that ``peer`` calls ``name``."""
        names = self._senders.get(peer)
        return name if names is None else names.get(name, name)
