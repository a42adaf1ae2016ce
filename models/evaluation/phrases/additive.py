"""The additive baseline: a small network plays harmonics and filtered noise (after DDSP).

As in Engel et al. 2020 ("DDSP: Differentiable Digital Signal Processing", arXiv 2001.04643): amplitudes of
harmonics of an exact pitch and gains of noise bands, from a network, trained through the synthesiser
with a multi-scale spectral loss. Unlike there, the network reads no sound: it is told what MARS is told
(pitch, velocity, family) and how long ago the note began. A phrase is its score, each note played by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE

from ...mars.condition_inputs import CLIP_SAMPLES
from ...mars.conditions import FAMILIES, HELD_SECONDS, PhraseConditions
from ...mars.phrase_scores import ScoreNote, write_score
from ...network_weights import reading_weights, write_weights
from ..notes.judge_clock import Clock, learning_share

VERSION: Final = 1
_WHAT: Final = "additive baseline"
HARMONICS: Final = 64
NOISE_BANDS: Final = 32
#: Samples between control points; also half a frame of the noise.
CONTROL_SAMPLES: Final = 512
_FRAME: Final = 2 * CONTROL_SAMPLES
_HIDDEN: Final = 192
_PITCH_SIZE: Final = 16
_SEGMENT: Final = 32 * CONTROL_SAMPLES
_BATCH: Final = 8
_LOSS_WINDOWS: Final = (2048, 512, 128)
#: What a note played shorter than those heard in training ends with.
_RELEASE_SECONDS: Final = 0.06
_SECONDS_SCALES: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)

Float32Array = NDArray[np.float32]
Report = Callable[[str], None]


class AdditiveSynth(nn.Module):
    """Conditions to sound. ``facts`` tells how it was trained."""

    def __init__(self, facts: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.facts = facts or {}
        # A drum's key is a name more than a number: every pitch has a few numbers of its own.
        self.keys = nn.Embedding(128, _PITCH_SIZE)
        inputs = _PITCH_SIZE + 2 + len(FAMILIES) + 2 * len(_SECONDS_SCALES) + 2
        self.body = nn.Sequential(
            nn.Linear(inputs, _HIDDEN), nn.LayerNorm(_HIDDEN), nn.GELU(),
            nn.Linear(_HIDDEN, _HIDDEN), nn.LayerNorm(_HIDDEN), nn.GELU(),
            nn.Linear(_HIDDEN, _HIDDEN), nn.LayerNorm(_HIDDEN), nn.GELU(),
            nn.Linear(_HIDDEN, 1 + HARMONICS + NOISE_BANDS),
        )  # fmt: skip
        last = self.body[-1]
        assert isinstance(last, nn.Linear)
        nn.init.constant_(last.bias[-NOISE_BANDS:], -4.0)  # noise begins soft

    @classmethod
    def load(cls, path: Path) -> AdditiveSynth:
        """Read what :meth:`save` wrote.

        Raises:
            StruckError: the file is missing or damaged, or of another kind or version.
        """
        with reading_weights(path, _WHAT, VERSION) as (facts, weights):
            synth = cls(facts)
            synth.load_state_dict(weights)
        return synth.eval()

    def save(self, path: Path) -> None:
        """Write the weights in half precision.

        Raises:
            StruckError: the file cannot be written.
        """
        write_weights(path, _WHAT, VERSION, self.facts, self.state_dict())

    def controls(
        self, pitch: Tensor, velocity: Tensor, family: Tensor, seconds: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Amplitudes ``[B, T, HARMONICS]`` and noise gains ``[B, T, NOISE_BANDS]``.

        Args:
            pitch, velocity, family: int64 ``[B]``.
            seconds: since the note began, ``[B, T]``.
        """
        said = torch.cat(
            [
                self.keys(pitch),
                (pitch / 64.0 - 1.0)[:, None],
                (velocity / 64.0 - 1.0)[:, None],
                nn.functional.one_hot(family, len(FAMILIES)).float(),
            ],
            1,
        )
        released = (seconds - HELD_SECONDS).clamp(min=0.0)
        ages = [torch.exp(-seconds / scale) for scale in _SECONDS_SCALES]
        ages += [1.0 - torch.exp(-released / scale) for scale in _SECONDS_SCALES]
        when = torch.stack([*ages, seconds - 2.0, (released > 0.0).float()], -1)
        out = self.body(torch.cat([said[:, None].expand(-1, seconds.shape[1], -1), when], -1))
        loud, shape, noise = out.split([1, HARMONICS, NOISE_BANDS], -1)
        amplitudes = _positive(loud) * torch.softmax(shape, -1)
        # Drums too: their tones are inharmonic, but a hum at the key's pitch is wrong for all.
        pitched = (family != FAMILIES.index("drums")).float()[:, None, None]
        return amplitudes * pitched, _positive(noise)

    def play(
        self, pitch: Tensor, velocity: Tensor, family: Tensor, first: Tensor, count: int, seed: int
    ) -> Tensor:
        """Sound ``[B, count]`` of notes from sample ``first [B]`` on; multiples of ``CONTROL_SAMPLES``."""
        points = count // CONTROL_SAMPLES + 1
        places = first[:, None] + CONTROL_SAMPLES * torch.arange(points)[None, :]
        amplitudes, gains = self.controls(pitch, velocity, family, places / ANALYSIS_RATE)
        maker = torch.Generator().manual_seed(seed)
        sounds = [
            _harmonics(a, float(p), int(f), count, maker)
            for a, p, f in zip(amplitudes, pitch, first, strict=True)
        ]
        return torch.stack(sounds) + _noise(gains @ _BANDS, count, maker)

    def generate(self, conditions: PhraseConditions, seed: int = 0) -> Float32Array:
        """The clip that was asked for, peak <= 1; a phrase is a loop whose score depends on the seed."""
        count = conditions.sample_count
        clip = np.zeros(count, np.float32)
        for i, note in enumerate(write_score(conditions, np.random.default_rng(seed))):
            begin = round(note.start * ANALYSIS_RATE)
            sound = self._note(note, conditions, count, seed + i)
            fits = min(len(sound), count - begin)
            clip[begin : begin + fits] += sound[:fits]
            if conditions.style != "single":  # the rest is heard when it goes round
                clip[: len(sound) - fits] += sound[fits:]
        return clip / max(1.0, float(np.abs(clip).max()))

    def _note(self, note: ScoreNote, conditions: PhraseConditions, room: int, seed: int) -> Float32Array:
        single = conditions.style == "single"
        wanted = CLIP_SAMPLES if single else round((note.seconds + 8.0 * _RELEASE_SECONDS) * ANALYSIS_RATE)
        count = min(CLIP_SAMPLES, -(-min(wanted, room) // CONTROL_SAMPLES) * CONTROL_SAMPLES)
        numbers = torch.tensor([[note.key], [note.velocity], [FAMILIES.index(conditions.instrument)], [0]])
        with torch.inference_mode():
            played = self.play(numbers[0], numbers[1], numbers[2], numbers[3], count, seed)
        sound: Float32Array = played[0].numpy()
        if not single and conditions.instrument != "drums":
            since = np.maximum(np.arange(count) / ANALYSIS_RATE - note.seconds, 0.0)
            sound = sound * np.exp(-since / _RELEASE_SECONDS).astype(np.float32)
        return sound[:room]


def train_additive(
    audio: Callable[[int], Float32Array],
    conditions: Sequence[PhraseConditions],
    rows: NDArray[np.int64],
    *,
    minutes: float,
    steps: int | None = None,
    seed: int = 0,
    report: Report = print,
) -> AdditiveSynth:
    """Train on single notes, for ``minutes`` of processor time.

    Args:
        audio: gives the clip ``[CLIP_SAMPLES]`` of a row.
        conditions: of every row.
        rows: the single notes that may be learned.
        steps: instead of the minutes; then the same seed gives the same weights.

    Raises:
        StruckError: there are none.
    """
    if not len(rows):
        raise StruckError("there are no training notes for the additive baseline")
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    synth = AdditiveSynth()
    optimizer = torch.optim.AdamW(synth.parameters(), 2e-3, weight_decay=1e-4)
    clock = Clock(minutes, steps)
    loss_mean = 0.0
    for progress in clock:
        chosen = rng.choice(rows, _BATCH)
        latest = (CLIP_SAMPLES - _SEGMENT) // CONTROL_SAMPLES
        # Attacks are short and tell most: two segments of five begin with one.
        first = np.where(rng.random(_BATCH) < 0.4, 0, rng.integers(0, latest + 1, _BATCH)) * CONTROL_SAMPLES
        wanted = torch.from_numpy(
            np.stack([audio(int(row))[f : f + _SEGMENT] for row, f in zip(chosen, first, strict=True)])
        )
        asked = [conditions[row] for row in chosen]
        played = synth.play(
            torch.tensor([c.pitch for c in asked]),
            torch.tensor([c.velocity for c in asked]),
            torch.tensor([FAMILIES.index(c.instrument) for c in asked]),
            torch.from_numpy(first),
            _SEGMENT,
            seed=int(rng.integers(2**31)),
        )
        loss = spectral_loss(played, wanted)
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * learning_share(clock.steps, progress)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(synth.parameters(), 3.0)
        optimizer.step()
        loss_mean += (float(loss.detach()) - loss_mean) / min(clock.steps, 100)
        if clock.is_time_to_tell():
            report(f"additive: step {clock.steps}, {100.0 * progress:.0f} %, loss {loss_mean:.3f}")
    synth.facts = {"seed": seed, "steps": clock.steps, "notes": len(rows), "loss": round(loss_mean, 4)}
    return synth.eval()


def spectral_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean over windows of L1 of magnitudes and of their logarithms (DDSP, eq. 4), of ``[B, N]``."""
    total = torch.zeros(())
    for size in _LOSS_WINDOWS:
        window = torch.hann_window(size)
        first, second = (_magnitude(x, window) for x in (found, wanted))
        # Loudness varies by 40 dB between notes: each counts relative to itself.
        scale = second.mean((1, 2), keepdim=True) + 1e-4
        total = total + ((first - second).abs() / scale).mean()
        total = total + (torch.log(first + 1e-4) - torch.log(second + 1e-4)).abs().mean()
    return total / len(_LOSS_WINDOWS)


def _magnitude(samples: Tensor, window: Tensor) -> Tensor:
    size = len(window)
    parts = torch.view_as_real(torch.stft(samples, size, size // 4, window=window, return_complex=True))
    return torch.sqrt(torch.square(parts).sum(-1) + 1e-10) * (2.0 / size)


def _positive(x: Tensor) -> Tensor:
    """DDSP's scaled sigmoid: 1e-7 to 2, gentle near 0."""
    return 2.0 * torch.sigmoid(x) ** math.log(10.0) + 1e-7


def _harmonics(amplitudes: Tensor, pitch: float, first: int, count: int, maker: torch.Generator) -> Tensor:
    """Sum of sines ``[count]`` with amplitudes ``[points, HARMONICS]`` at the control points."""
    hz = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
    kept = min(HARMONICS, int(0.49 * ANALYSIS_RATE / hz))
    if kept == 0:
        return torch.zeros(count)
    numbers = torch.arange(1, kept + 1)
    begin = torch.rand(kept, generator=maker)
    # Counted in double, wrapped before it becomes float: a note has many turns.
    turns = ((first + torch.arange(count, dtype=torch.float64)) * (hz / ANALYSIS_RATE)).frac().float()
    phases = torch.outer(numbers.float(), turns).add_(begin[:, None])
    waves = phases.mul_(2.0 * math.pi).sin_()
    # Amplitudes run straight from point to point: one product with those before, one with those after.
    frames = waves.view(kept, -1, CONTROL_SAMPLES).permute(1, 2, 0)
    heard = amplitudes[:, :kept, None]
    before, after = (frames @ heard[:-1])[..., 0], (frames @ heard[1:])[..., 0]
    ramp = torch.arange(CONTROL_SAMPLES) / CONTROL_SAMPLES
    return (before + ramp * (after - before)).flatten()


def _noise(gains: Tensor, count: int, maker: torch.Generator) -> Tensor:
    """White noise ``[B, count]`` shaped by ``gains [B, points, bins]`` around each control point."""
    batch, points, _ = gains.shape
    length = (points + 1) * CONTROL_SAMPLES
    white = 0.3 * torch.randn(batch, length, generator=maker)
    window = torch.hann_window(_FRAME)
    frames = torch.fft.rfft(white.unfold(1, _FRAME, CONTROL_SAMPLES) * window)
    shaped = torch.fft.irfft(frames * gains, _FRAME)
    out = torch.zeros(batch, points + 1, CONTROL_SAMPLES)
    out[:, :-1] += shaped[..., :CONTROL_SAMPLES]
    out[:, 1:] += shaped[..., CONTROL_SAMPLES:]
    return out.flatten(1)[:, CONTROL_SAMPLES : CONTROL_SAMPLES + count]


def _band_matrix() -> Tensor:
    """Triangles over frequency ``[NOISE_BANDS, bins]``, equally far apart in mel, that sum to 1."""
    top = 2595.0 * math.log10(1.0 + ANALYSIS_RATE / 2.0 / 700.0)
    centres = 700.0 * (10.0 ** (np.linspace(0.0, top, NOISE_BANDS) / 2595.0) - 1.0)
    bins_hz = np.arange(_FRAME // 2 + 1) * ANALYSIS_RATE / _FRAME
    rows = [np.interp(bins_hz, centres, np.eye(NOISE_BANDS)[band]) for band in range(NOISE_BANDS)]
    return torch.from_numpy(np.stack(rows).astype(np.float32))


_BANDS: Final = _band_matrix()
