"""Trains one network: steps by the clock, moving average, log, checkpoints."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from struck.codec.files.part_files import part_file

CHECKPOINT_SECONDS: Final = 180.0
LOG_STEPS: Final = 50

Report = Callable[[str], None]
#: Of each step: the loss, and what the log tells beside it.
Losses = Iterator[tuple[Tensor, Mapping[str, Tensor | float]]]
N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class Stage:
    """A stretch of training: the rate warms up, then falls as a cosine to a fiftieth of ``peak_rate``.

    Attributes:
        begin_seconds, end_seconds: on the trainer's clock.
    """

    name: str
    peak_rate: float
    begin_seconds: float
    end_seconds: float

    def rate(self, seconds: float) -> float:
        """The learning rate when the clock shows ``seconds``."""
        progress = (seconds - self.begin_seconds) / max(1e-9, self.end_seconds - self.begin_seconds)
        return learning_rate(self.peak_rate, progress)


class NetworkTrainer(Generic[N]):
    """A network, its moving average, optimiser and clock; saves and resumes.

    Args:
        name: of checkpoint and log in ``folder``.
        decay: of the moving average, reached after some steps.
        clip: largest norm of the gradient.
        saved: is given the average whenever a checkpoint is written.
        **options: of AdamW.

    Attributes:
        step: taken so far.
        seconds: trained so far.
    """

    def __init__(
        self,
        name: str,
        network: N,
        folder: Path,
        report: Report,
        *,
        decay: float,
        clip: float,
        saved: Callable[[N], None] | None = None,
        **options: Any,
    ) -> None:
        self.name, self.network, self.folder = name, network, folder
        self.step, self.seconds = 0, 0.0
        self._report, self._clip, self._saved = report, clip, saved
        self._optimizer = torch.optim.AdamW(network.parameters(), **options)

        def average(kept: Any, new: Any, count: Tensor | int) -> None:
            # The first steps' parameters must not stay in it for long.
            get_ema_multi_avg_fn(min(decay, (1.0 + float(count)) / (10.0 + float(count))))(kept, new, count)

        self._averaged = AveragedModel(network, multi_avg_fn=average)
        self._last_save = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        return self.folder / f"{self.name}.pt"

    @property
    def average(self) -> N:
        """The network with the moving averages of its parameters; the same object all the time."""
        return cast(N, self._averaged.module)

    def resume(self) -> bool:
        """Go on from the checkpoint; false where there is none."""
        if not self.checkpoint.is_file():
            return False
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["network"])
        self._averaged.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        return True

    def save(self, force: bool = False) -> None:
        """Write the checkpoint, every few minutes or when forced."""
        if not force and time.monotonic() - self._last_save < CHECKPOINT_SECONDS:
            return
        self._last_save = time.monotonic()
        state = {
            "network": self.network.state_dict(),
            "average": self._averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        with part_file(self.checkpoint) as part:
            torch.save(state, part)
        if self._saved is not None:
            self._saved(self.average)

    def run(self, stage: Stage, losses: Losses) -> None:
        """Step on each loss until the stage is over."""
        rows: list[dict[str, float]] = []
        clock = time.monotonic()
        while self.seconds < stage.end_seconds:
            loss, values = next(losses)
            self._update(loss, stage.rate(self.seconds))
            told = {"loss": loss, **values}
            rows.append({name: float(torch.as_tensor(value).detach()) for name, value in told.items()})
            now = time.monotonic()
            self.seconds += now - clock
            clock = now
            if len(rows) == LOG_STEPS:
                self._log(stage.name, rows)
                rows = []
            self.save()
        self.save(force=True)

    def _update(self, loss: Tensor, rate: float) -> None:
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self._clip)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self.step += 1
        self._averaged.update_parameters(self.network)

    def _log(self, stage: str, rows: list[dict[str, float]]) -> None:
        """A JSON line in the log and on the report: means over ``rows`` that have a value."""
        entries: dict[str, Any] = {
            "step": self.step,
            "minutes": round(self.seconds / 60.0, 2),
            "stage": stage,
        }
        for name in dict.fromkeys(name for row in rows for name in row):
            there = [row[name] for row in rows if name in row]
            entries[name] = round(sum(there) / len(there), 5)
        line = json.dumps(entries)
        with (self.folder / f"{self.name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._report(line)


def learning_rate(peak: float, progress: float, warm: float = 0.02) -> float:
    """Warm-up, then cosine to a fiftieth; ``progress`` in 0..1."""
    if progress < warm:
        return peak * (0.05 + 0.95 * progress / warm)
    return peak * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress))))
