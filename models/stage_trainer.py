"""Trains one network: steps, learning rate by the clock, moving average, log, checkpoints."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from struck.codec.part_files import part_file

CHECKPOINT_SECONDS: Final = 180.0
LOG_STEPS: Final = 50
AVERAGE_DECAY: Final = 0.998

Report = Callable[[str], None]


class StageTrainer:
    """One network, its moving average, optimiser and clock; saves and resumes.

    Args:
        name: of checkpoint and log in ``folder``.
        minutes: the rate falls as a cosine to a fiftieth over them.
    """

    def __init__(
        self, name: str, network: nn.Module, rate: float, folder: Path, minutes: float, report: Report
    ) -> None:
        self.name, self.network, self.folder, self.report = name, network, folder, report
        self.rate, self.minutes = rate, minutes
        self.optimizer = torch.optim.AdamW(network.parameters(), rate, betas=(0.9, 0.98), weight_decay=0.02)
        self.average = [p.detach().clone() for p in network.parameters()]
        self.step, self.seconds = 0, 0.0
        self._last_save = time.monotonic()
        self._sums: dict[str, float] = {}
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        return self.folder / f"{self.name}.pt"

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        if not self.checkpoint.is_file():
            return
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        for kept, saved in zip(self.average, state["average"], strict=True):
            kept.copy_(saved)
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self, force: bool = False) -> None:
        """Write the checkpoint, every few minutes or when forced."""
        if not force and time.monotonic() - self._last_save < CHECKPOINT_SECONDS:
            return
        self._last_save = time.monotonic()
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "step": self.step,
            "seconds": self.seconds,
        }
        with part_file(self.checkpoint) as part:
            torch.save(state, part)

    def use_average(self) -> None:
        """The moving average becomes the network's parameters."""
        with torch.no_grad():
            for parameter, kept in zip(self.network.parameters(), self.average, strict=True):
                parameter.copy_(kept)

    def run(self, losses: Iterator[dict[str, Tensor]]) -> None:
        """Step on each loss (``"loss"``; other entries are logged) until the minutes are over."""
        while self.seconds < 60.0 * self.minutes:
            begun = time.monotonic()
            done = min(1.0, self.seconds / (60.0 * self.minutes))
            warm = min(1.0, (self.step + 1) / 100.0)
            rate = self.rate * warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * done)))
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            values = next(losses)
            self.optimizer.zero_grad()
            values["loss"].backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.step += 1
            decay = min(AVERAGE_DECAY, (1.0 + self.step) / (10.0 + self.step))
            with torch.no_grad():
                for kept, new in zip(self.average, self.network.parameters(), strict=True):
                    kept.lerp_(new, 1.0 - decay)
            self.seconds += time.monotonic() - begun
            self._log({name: float(value.detach()) for name, value in values.items()})
            self.save()
        self.save(force=True)

    def _log(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value / LOG_STEPS
        if self.step % LOG_STEPS:
            return
        entries: dict[str, Any] = {"step": self.step, "minutes": round(self.seconds / 60.0, 2)}
        line = json.dumps({**entries, **{name: round(value, 5) for name, value in self._sums.items()}})
        with (self.folder / f"{self.name}.jsonl").open("a") as file:
            file.write(line + "\n")
        self.report(f"{self.name} {line}")
        self._sums = {}
