"""The encoder of a profile, with the refiner that it asks for."""

from __future__ import annotations

from struck.codec.events.profiles import Profile
from struck.codec.hearing.encoder import Refine, StreamingEncoder
from struck.codec.weights.codec_weights import CodecWeights


def make_refiner(weights: CodecWeights, profile: Profile, steps: int | None = None) -> Refine | None:
    """What improves events by ``steps`` gradient steps, or by the profile's; None for no steps.

    Only those steps need torch.
    """
    count = profile.refine_steps if steps is None else steps
    if count == 0:
        return None
    import torch

    from .refine import Refiner

    # The steps' tensors are small: threads would spend their time waiting for one another.
    torch.set_num_threads(1)
    return Refiner(weights.decoder, count)


def make_encoder(weights: CodecWeights, profile: Profile, steps: int | None = None) -> StreamingEncoder:
    """An encoder that improves its events; arguments as for :func:`make_refiner`."""
    return StreamingEncoder(weights, profile, refine=make_refiner(weights, profile, steps))
