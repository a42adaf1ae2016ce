"""The latency ledger: where the time between a sound in the room and its event's sound goes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, gcd
from typing import Final

from ...codec.events.event_spec import ANALYSIS_RATE
from ...codec.events.profiles import Profile

#: What the encoder's thread is given per hop, at the least: it must be more than a hop ever takes.
_COMPUTE_SECONDS: Final = {"live": 0.048, "tight": 0.008, "instant": 0.006}


@dataclass(frozen=True)
class LatencyLedger:
    """The terms of the latency, in seconds; their sum from input to ears is fixed while the stream runs."""

    rate: int
    lookahead_seconds: float
    hop_seconds: float
    resampling_seconds: float
    block_seconds: float
    compute_seconds: float
    input_device_seconds: float = 0.0
    output_device_seconds: float = 0.0
    #: Of those in the way of heard events: at the input, in events, before the limiter.
    inserts_seconds: float = 0.0

    @property
    def engine_seconds(self) -> float:
        """From a sample that enters the engine to the event that leaves it: the L of the docs."""
        return self.engine_samples / self.rate

    @property
    def engine_samples(self) -> int:
        """The same in samples of the device."""
        seconds = (
            self.lookahead_seconds
            + self.hop_seconds
            + self.resampling_seconds
            + self.block_seconds
            + self.compute_seconds
        )
        return round(seconds * self.rate)

    @property
    def total_seconds(self) -> float:
        """From the microphone to the loudspeaker."""
        devices = self.input_device_seconds + self.output_device_seconds
        return self.engine_seconds + self.inserts_seconds + devices

    def to_dict(self) -> dict[str, float]:
        """All terms and both sums, by name."""
        terms = {
            "lookahead_seconds": self.lookahead_seconds,
            "hop_seconds": self.hop_seconds,
            "resampling_seconds": self.resampling_seconds,
            "block_seconds": self.block_seconds,
            "compute_seconds": self.compute_seconds,
            "engine_seconds": self.engine_seconds,
            "inserts_seconds": self.inserts_seconds,
            "input_device_seconds": self.input_device_seconds,
            "output_device_seconds": self.output_device_seconds,
            "total_seconds": self.total_seconds,
        }
        return terms

    def describe(self) -> str:
        """One line for people, in milliseconds."""
        terms = [
            ("lookahead", self.lookahead_seconds),
            ("hop", self.hop_seconds),
            ("resampling", self.resampling_seconds),
            ("block", self.block_seconds),
            ("compute", self.compute_seconds),
            *([("inserts", self.inserts_seconds)] if self.inserts_seconds else []),
            ("device in", self.input_device_seconds),
            ("device out", self.output_device_seconds),
        ]
        parts = " + ".join(f"{name} {1e3 * seconds:.1f}" for name, seconds in terms)
        return f"latency {1e3 * self.total_seconds:.1f} ms = {parts}"


def make_ledger(
    profile: Profile,
    rate: int,
    block_frames: int,
    resampling_seconds: float,
    compute_seconds: float | None = None,
    input_device_seconds: float = 0.0,
    output_device_seconds: float = 0.0,
) -> LatencyLedger:
    """The ledger of a stream.

    The engine's sum is rounded up, for the benefit of ``compute``, to a time that is whole in samples of the
    device and of the encoder alike (at 48 kHz 1/150 s, at 44.1 kHz 1/22,050 s). Only so is every event
    exactly that late, to the sample, and a take's onsets, which count the encoder's samples, say exactly
    what sounded.

    Args:
        profile: ``live``, ``tight`` or ``instant``.
        rate: device rate in Hz.
        block_frames: of the device.
        resampling_seconds: delay of the encoder's resampler.
        compute_seconds: what the encoder's thread is given per hop; None takes the profile's.
        input_device_seconds, output_device_seconds: as the driver reports them.

    Raises:
        ValueError: the profile is not one for the stage, or ``compute_seconds`` is negative.
    """
    if profile.name not in _COMPUTE_SECONDS:
        raise ValueError(f"the profile {profile.name} looks ahead too far to be played live")
    compute = _COMPUTE_SECONDS[profile.name] if compute_seconds is None else compute_seconds
    if compute < 0.0:
        raise ValueError(f"compute_seconds is {compute}; it must not be negative")
    lookahead = profile.lookahead_samples / ANALYSIS_RATE
    hop = profile.wait_samples / ANALYSIS_RATE
    block = block_frames / rate
    grid = gcd(rate, ANALYSIS_RATE)
    wanted = profile.latency_samples / ANALYSIS_RATE + resampling_seconds + block + compute
    engine_seconds = ceil(round(wanted * grid, 6)) / grid  # a sum that is whole but for floats is whole
    return LatencyLedger(
        rate=rate,
        lookahead_seconds=lookahead,
        hop_seconds=hop,
        resampling_seconds=resampling_seconds,
        block_seconds=block,
        compute_seconds=engine_seconds - lookahead - hop - resampling_seconds - block,
        input_device_seconds=input_device_seconds,
        output_device_seconds=output_device_seconds,
    )
