"""What renderers share of lives: segments between amendments, ends, how a segment fades into the next.

::

    onset                 amended        amended again      end
    |--- as it was born ---|--- segment ---|--- segment ------|~~~ release
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .controls import Controls
from .event_spec import AMENDMENT_SECONDS
from .events import FloatArray, stack_gains, stack_vectors
from .lives import EventLife


@dataclass(frozen=True)
class LifeTable:
    """The segments of many lives, one after another: S segments. Times count from each life's onset."""

    life: np.ndarray  # int64 [S] which life
    gain_db: FloatArray  # [S]
    vectors: FloatArray  # [S, 32]
    from_seconds: np.ndarray  # float64 [S]
    until_seconds: np.ndarray  # float64 [S], inf for the last of a life
    end_seconds: np.ndarray  # float64 [S], inf where there is no end


def tabulate_lives(lives: Sequence[EventLife]) -> LifeTable:
    """``lives`` as arrays, what a renderer computes its controls from."""
    states = [life.states for life in lives]
    counts = [len(own) for own in states]
    events = [event for own in states for _, event in own]
    onsets = np.repeat([life.event.onset_seconds for life in lives], counts)
    ends = [np.inf if life.end is None else life.end.at_seconds for life in lives]
    starts = np.array([seconds for own in states for seconds, _ in own])
    until = np.append(starts[1:], np.inf)
    until[np.cumsum(counts) - 1] = np.inf
    return LifeTable(
        life=np.repeat(np.arange(len(lives)), counts),
        gain_db=stack_gains(events),
        vectors=stack_vectors(events),
        from_seconds=starts - onsets,
        until_seconds=until - onsets,
        end_seconds=np.maximum(np.repeat(ends, counts) - onsets, 0.0),
    )


def sounding_spans(table: LifeTable) -> tuple[FloatArray, FloatArray]:
    """Seconds after its onset from and until which each segment is what is mostly heard, ``[S]`` each.

    A slide counts as a step in its middle. The first segment has no beginning but its onset.
    """
    middle = 0.5 * AMENDMENT_SECONDS
    start = np.where(table.from_seconds > 0.0, table.from_seconds + middle, -np.inf)
    return start.astype(np.float32), (table.until_seconds + middle).astype(np.float32)


def end_controls(controls: Controls, end_seconds: Any, xp: Any = np) -> Controls:
    """Controls of E events that are released ``end_seconds [E]`` after their onsets; inf for one that is not.

    A force that is let go on its way up is one that rises no further: it has a shorter attack and all its
    levels are lower in the same ratio. An end after the force has gone changes nothing.
    """
    c = controls
    # an event that ends as it begins keeps an attack, of next to nothing
    attack = xp.minimum(c.attack_seconds, xp.clip(end_seconds, 1e-9, None))
    risen = xp.clip(end_seconds / c.attack_seconds, 0.0, 1.0)
    return replace(
        c,
        attack_seconds=attack,
        hold_seconds=xp.clip(xp.minimum(c.hold_seconds, end_seconds - c.attack_seconds), 0.0, None),
        mode_gain=c.mode_gain * risen[..., None],
        noise_gain=c.noise_gain * risen[..., None],
    )


def fade_weight(progress: Any, xp: Any = np) -> Any:
    """Share of what was before an amendment, ``progress`` of the way (0..1) to what it asks for.

    A raised cosine: a slide that begins and ends at rest brings next to nothing far from a partial.
    """
    return 0.5 + 0.5 * xp.cos(np.pi * xp.clip(progress, 0.0, 1.0))
