"""The decoder as a Python program meets it: any rate, with the weights shipped."""

from __future__ import annotations

from collections.abc import Iterable

from .events.amendments import StreamItem, in_stream_order
from .events.events import FloatArray
from .pipeline import render_samples
from .playing.decoder import Decoder as PlayingDecoder
from .weights.codec_weights import CodecWeights, shipped_codec_weights


class Decoder(PlayingDecoder):
    """Events in, sound out, block by block: :meth:`schedule` events, :meth:`process` the next samples.

    An event starts exactly at the sample it is scheduled for; block sizes make no difference to what is
    heard.

    Args:
        rate: of the sound in Hz, a multiple of 150 from 22,050 to 192,000.
        weights: trained weights, see :func:`struck.codec.load_codec_weights`; None takes those shipped.
        voice_count: events that may sound together; further ones steal the quietest.
        pending_count: events that may wait for their onset.
        allow_late: whether an event whose onset has passed starts at once (else it is refused).

    Raises:
        ValueError: the rate or a count is out of range.

    Example:
        >>> import numpy as np
        >>> from struck.codec import Decoder, Event
        >>> decoder = Decoder(48_000)
        >>> decoder.schedule(Event(onset_seconds=0.001, gain_db=-12, vector=np.zeros(32)))
        True
        >>> block = decoder.process(64)  # the event starts at sample 48 of these
        >>> block[:48].any(), block[48:].any()
        (np.False_, np.True_)
    """

    def __init__(
        self,
        rate: int = 48_000,
        weights: CodecWeights | None = None,
        voice_count: int = 512,
        pending_count: int = 1024,
        allow_late: bool = True,
    ) -> None:
        super().__init__(weights or shipped_codec_weights(), rate, voice_count, pending_count, allow_late)


def render(
    items: Iterable[StreamItem], rate: int = 48_000, weights: CodecWeights | None = None
) -> FloatArray:
    """The sound of a stream, from time 0 until the last event has died away.

    Args:
        items: events, and their amendments and ends if they have any, in any order.
        rate, weights: as for :class:`struck.codec.Decoder`.

    Returns:
        Mono float32 ``[N]``, full scale at 1; it may go beyond.

    Raises:
        ValueError: the rate is out of range.
    """
    return render_samples(weights or shipped_codec_weights(), in_stream_order(items), rate)
