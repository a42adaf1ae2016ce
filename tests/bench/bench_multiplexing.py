"""What channel multiplexing saves: time and memory of the tokenizer's training step, with and without.

    python -m tests.bench.bench_multiplexing [--batch 4] [--steps 5]

Without it the same grid is reached by convolutions that halve the image, one level for each factor of two,
each with the block that every other level of the tokenizer has.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch
from torch import Tensor, nn
from torch.nn import functional

from struck.models.mars.condition_inputs import BINS, FRAMES, batch_conditions
from struck.models.mars.conditions import PhraseConditions
from struck.models.mars.tokenizer import Tokenizer

#: Halvings of frequency and time from 1024 x 352 to 64 x 44, and the channels after each.
LEVELS = ((2, 2, 16), (2, 2, 24), (2, 2, 32), (2, 1, 64))


class _Blocks(nn.Module):
    """Two convolutions beside a straight path."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(channels, channels, 3, padding=1)
        self.first = nn.Conv2d(channels, 2 * channels, 1)
        self.second = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        return image + self.second(functional.silu(self.first(self.spread(image))))


class WithoutMultiplexing(Tokenizer):
    """The tokenizer on an image of one channel and 1024 x 352 pixels."""

    def __init__(self) -> None:
        super().__init__()
        enter: list[nn.Module] = []
        leave: list[nn.Module] = []
        before = 1
        for rows, columns, channels in LEVELS:
            enter += [nn.Conv2d(before, channels, (rows, columns), (rows, columns)), _Blocks(channels)]
            size = (rows, columns)
            leave = [_Blocks(channels), nn.ConvTranspose2d(channels, before, size, size), *leave]
            before = channels
        self.enter = nn.Sequential(*enter)
        self.leave = nn.Sequential(*leave)

    def to_image(self, spectrogram: Tensor) -> Tensor:
        return spectrogram[:, None]

    def to_spectrogram(self, image: Tensor) -> Tensor:
        return image[:, 0]


def measure(network: Tokenizer, batch: int, steps: int) -> dict[str, float]:
    """Median milliseconds per example and the process's peak memory above what it had before, in MiB."""
    conditions = batch_conditions([PhraseConditions(40 + n) for n in range(batch)])
    wanted = torch.rand(batch, BINS, FRAMES)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(steps + 1):
        begun = time.perf_counter()
        made, quantized = network(wanted, conditions)
        ((made - wanted).abs().mean() + quantized.commitment).backward()
        network.zero_grad()
        times.append(1e3 * (time.perf_counter() - begun) / batch)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024.0
    return {"ms": statistics.median(times[1:]), "mib": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--one", choices=("with", "without"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if options.one:
        network = Tokenizer() if options.one == "with" else WithoutMultiplexing()
        print(json.dumps(measure(network.train(), options.batch, options.steps)))
        return
    # Each in a process of its own: a process's peak memory never falls.
    found = {}
    for which in ("with", "without"):
        command = [sys.executable, "-m", "tests.bench.bench_multiplexing", "--one", which]
        command += ["--batch", str(options.batch), "--steps", str(options.steps)]
        found[which] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"{which:8} {found[which]['ms']:8.0f} ms per example {found[which]['mib']:8.0f} MiB")
    times, memory = (found["without"][key] / found["with"][key] for key in ("ms", "mib"))
    print(f"without / with: {times:.1f} x the time, {memory:.1f} x the memory")


if __name__ == "__main__":
    main()
