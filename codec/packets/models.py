"""All that both ends of a stream of packets learn from one keyframe to the next."""

from __future__ import annotations

from .change_section import ChangeModels
from .event_section import EventModels
from .ids import IdModels


class Models:
    """The models of every section, fresh."""

    def __init__(self) -> None:
        self.events = EventModels()
        self.changes = ChangeModels()
        self.ids = IdModels()
        #: The id of the next event where a packet is plain; None: it has none.
        self.next_id: int | None = None
