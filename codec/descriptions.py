"""What a musician reads from an event and sets on it, with the weights shipped."""

from __future__ import annotations

from .events.descriptors import Descriptors, read_descriptors, set_descriptor
from .events.events import Event
from .weights.codec_weights import CodecWeights, shipped_codec_weights


def describe(event: Event, weights: CodecWeights | None = None) -> Descriptors:
    """Pitch, loudness, brightness, attack, decay, noisiness and room of ``event``, as it sounds.

    Args:
        weights: trained weights, see :func:`struck.codec.load_codec_weights`; None takes those shipped.
    """
    return read_descriptors(weights or shipped_codec_weights(), event)


def change(event: Event, weights: CodecWeights | None = None, **descriptors: float | str) -> Event:
    """A copy of ``event`` with other descriptors; those not given stay as they were.

    A value out of reach lands on the nearest one within.

    Args:
        weights: as for :func:`describe`.
        descriptors: attributes of :class:`struck.codec.Descriptors` and their new values.

    Raises:
        ValueError: a name is none of the descriptors, a number is not finite, or the room is unknown.

    >>> import numpy as np
    >>> from struck.codec import Event, change, describe
    >>> middle = Event(onset_seconds=0.5, gain_db=-12, vector=np.zeros(32))  # the middle of every range
    >>> bell = change(middle, pitch_hz=880, decay_seconds=4, room="hall")
    >>> heard = describe(bell)
    >>> round(heard.pitch_hz), round(heard.decay_seconds, 1), heard.room, heard.loudness_db
    (880, 4.0, 'hall', -12.0)
    """
    weights = weights or shipped_codec_weights()
    order = list(
        Descriptors.__dataclass_fields__
    )  # pitch first: what it moves is put back and may then be set
    for name in sorted(descriptors, key=lambda name: order.index(name) if name in order else -1):
        event = set_descriptor(weights, event, name, descriptors[name])
    return event
