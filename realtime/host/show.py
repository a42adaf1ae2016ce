"""A show by its setlist: from scene to scene, forward and back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ...codec.events.errors import StruckError
from ...patches.setlist import Scene
from ..engine.parameters import PARAMETER
from .recaller import LastCall


def check_scenes(scenes: Sequence[Scene], find: Callable[[str], object]) -> None:
    """Refuse scenes that name a patch or a control that there is not.

    Raises:
        StruckError: one does.
    """
    for scene in scenes:
        try:
            if scene.patch:
                find(scene.patch)
            for name, value in scene.controls.items():
                if name not in PARAMETER:
                    raise StruckError(f"no control is called {name}; they are {', '.join(PARAMETER)}")
                low, high = PARAMETER[name].low, PARAMETER[name].high
                if not low <= value <= high:
                    raise StruckError(f"{name} is {value:g}; the range is {low:g} to {high:g}")
        except StruckError as error:
            raise StruckError(f"setlist, song {scene.song}, snapshot {scene.name}: {error}") from error


class Show:
    """Where a show is in its setlist. Scenes are entered on a thread of its own; of several the last counts.

    Args:
        scenes: of the setlist.
        enter: called with a scene.
        tell: takes one line for the performer.
    """

    def __init__(
        self, scenes: Sequence[Scene], enter: Callable[[Scene], None], tell: Callable[[str], None]
    ) -> None:
        self._scenes, self._enter, self._tell = tuple(scenes), enter, tell
        self.place = -1
        self._lock = threading.Lock()  # the place and what is asked for go together
        self._calls = LastCall("setlist", lambda error: tell(f"setlist: {error}"))

    def step(self, count: int) -> None:
        """Go so many scenes on, or back; at both ends it stays."""
        with self._lock:
            place = min(len(self._scenes) - 1, max(0, self.place + count))
            if place == self.place:
                return
            self.place = place
            scene = self._scenes[place]
            self._calls.ask(lambda: self._go(scene))

    def describe(self) -> str:
        """Song and snapshot where the show is; empty before it has begun."""
        if self.place < 0:
            return ""
        scene = self._scenes[self.place]
        return f"{scene.song}: {scene.name}"

    def close(self) -> None:
        """End the thread; the scene that was asked for last is entered first."""
        self._calls.close()

    def _go(self, scene: Scene) -> None:
        self._enter(scene)
        self._tell(f"{scene.song}: {scene.name}")
