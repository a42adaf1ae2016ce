"""Training MARS: data, a listener, then for notes and for phrases a tokenizer and a transformer.

Each stage has its share of the minutes and its own checkpoint, so that one may be trained on while the other
stays. Gradients flow in bfloat16 on GPUs, and on CPUs where that is asked for: few of them compute with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import torch
from torch import nn

from struck.codec.events.errors import StruckError

from ..devices import choose_device
from ..network_trainer import Losses, NetworkTrainer, Report, Stage
from .clip_batches import ClipBatches, read_clips
from .condition_inputs import batch_conditions, frames_of
from .conditions import FAMILIES
from .lateness import measure_lateness
from .listener import Listener
from .losses import TokenData, listener_losses, mean_loss, tokenizer_losses, transformer_losses
from .mars import Mars, Networks, sound_of
from .next_scale import NextScaleSizes, NextScaleTransformer
from .phrase_data import PhraseData, build_phrase_data
from .players.drum_kits import find_drum_kits
from .players.presets import Preset, choose_presets
from .tokenizer import Tokenizer, TokenizerSizes

N = TypeVar("N", bound=nn.Module)
FindPresets = Callable[[Report], Sequence[Preset]]

#: Small: in the hours there are, more steps teach more than surer ones.
BATCH: Final = 8
LISTENER_BATCH: Final = 16
LISTENER_RATE: Final = 1e-3
TOKENIZER_RATE: Final = 6e-4
TRANSFORMER_RATE: Final = 1e-3
#: Of the moving averages that are kept.
AVERAGE_DECAY: Final = 0.998
#: How many clips are made, and from which seed.
SINGLES: Final = 5000
PHRASES: Final = 5000
HELD_OUT: Final = 600
DATA_SEED: Final = 1
#: Of the minutes: the listener's, then of what is left the notes', and of each kind's the tokenizer's.
LISTENER_MINUTES_SHARE: Final = 0.04
NOTES_MINUTES_SHARE: Final = 0.4
TOKENIZER_MINUTES_SHARE: Final = 0.46
#: After so many steps a transformer tells its loss on so many clips that are held out.
CHECK_STEPS: Final = 100
CHECK_CLIPS: Final = 64


@dataclass(frozen=True)
class TrainingRun:
    """Where and how networks are trained.

    Attributes:
        folder: of checkpoints and logs.
        device: a torch device.
        report: told what goes on.
        resume: go on from the checkpoints in ``folder``.
        start: a network without a checkpoint begins as its like in here, as far as the two fit.
        truncated: for comparison, with truncation instead of channel multiplexing.
        bfloat16: tokenizers and transformers compute with it on a CPU too.
    """

    folder: Path
    device: str
    report: Report
    seed: int = 0
    resume: bool = False
    start: Mars | None = None
    truncated: bool = False
    bfloat16: bool = False

    @property
    def half(self) -> bool:
        """Whether gradients flow in bfloat16."""
        return self.bfloat16 or self.device != "cpu"

    def trainer(self, name: str, network: N, like: nn.Module | None = None) -> NetworkTrainer[N]:
        """A trainer of ``network``, which begins from the checkpoint, as ``like``, or as it is."""
        if like is not None:
            adopted, total = _adopt(network, like)
            self.report(f"{name}: begins with {adopted} of {total} tensors of the weights given")
        # Channels last in memory: a tenth faster in convolutions.
        network = network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        trainer = NetworkTrainer(
            name,
            network,
            self.folder,
            self.report,
            decay=AVERAGE_DECAY,
            clip=1.0,
            betas=(0.9, 0.98),
            weight_decay=0.02,
        )
        if self.resume:
            trainer.resume()
        return trainer


def _adopt(network: nn.Module, like: nn.Module) -> tuple[int, int]:
    """Give ``network`` the tensors of ``like`` that fit by name and shape; how many of its own they are."""
    own = network.state_dict()
    fitting = {n: t for n, t in like.state_dict().items() if n in own and own[n].shape == t.shape}
    network.load_state_dict(fitting, strict=False)
    return len(fitting), len(own)


def _train(trainer: NetworkTrainer[N], peak_rate: float, minutes: float, losses: Losses) -> N:
    """The trainer's average after a stage that ends at ``minutes`` of its clock."""
    trainer.run(Stage(trainer.name, peak_rate, 0.0, 60.0 * minutes), losses)
    return trainer.average.eval()


def train_listener(data: PhraseData, minutes: float, run: TrainingRun) -> Listener:
    """A trained listener, its parameters fixed; the checkpoint is ``listener.pt``."""
    torch.manual_seed(run.seed)
    rows = np.flatnonzero(~data.held_out)
    sources = sorted({data.clips[row].source for row in rows})
    place = {source: i for i, source in enumerate(sources)}
    labels = np.array(
        [(FAMILIES.index(clip.conditions.instrument), place.get(clip.source, -1)) for clip in data.clips]
    )
    trainer = run.trainer("listener", Listener(len(sources)))
    seed = run.seed + trainer.step
    batches = ClipBatches(data, rows, run.device, seed, min(LISTENER_BATCH, len(rows)))
    losses = listener_losses(trainer.network.train(), iter(batches), labels, seed, run.device)
    return _train(trainer, LISTENER_RATE, minutes, losses).requires_grad_(False)


@dataclass(frozen=True)
class Kind:
    """What one pair of networks is trained for.

    Attributes:
        name: before the names of its checkpoints and logs; empty for phrases.
        layout: of its clips, by name.
        single: whether its clips are single notes.
    """

    name: str
    layout: str
    single: bool

    def rows(self, data: PhraseData, held_out: bool = False) -> np.ndarray:
        """int64 [N]: its clips, those that are held out or the others."""
        single = np.array([conditions.style == "single" for conditions in data.conditions], bool)
        return np.flatnonzero((single == self.single) & (data.held_out == held_out))

    def of(self, mars: Mars | None) -> Networks | None:
        """Its networks in ``mars``."""
        if mars is None:
            return None
        return mars.notes if self.single else mars.phrases


PHRASE_KIND: Final = Kind("", "beats", single=False)
NOTE_KIND: Final = Kind("note_", "seconds", single=True)
#: What may be trained by itself, by the names of the checkpoints.
TOKENIZER_STAGES: Final = {"tokenizer": PHRASE_KIND, "note_tokenizer": NOTE_KIND}
TRANSFORMER_STAGES: Final = {"transformer": PHRASE_KIND, "note_transformer": NOTE_KIND}


def train_tokenizer(
    kind: Kind, data: PhraseData, listener: Listener, minutes: float, run: TrainingRun
) -> Tokenizer:
    """A trained tokenizer, its moving average in place; the checkpoint is ``[note_]tokenizer.pt``."""
    torch.manual_seed(run.seed)
    like = kind.of(run.start)
    sizes = TokenizerSizes(kind.layout, truncated=run.truncated)
    trainer = run.trainer(f"{kind.name}tokenizer", Tokenizer(sizes), like and like.tokenizer)
    seed = run.seed + trainer.step
    batches = ClipBatches(data, kind.rows(data), run.device, seed, BATCH)
    losses = tokenizer_losses(trainer.network.train(), listener, iter(batches), seed, run.device, run.half)
    return _train(trainer, TOKENIZER_RATE, minutes, losses)


def tokenize(data: PhraseData, rows: np.ndarray, tokenizer: Tokenizer, run: TrainingRun) -> TokenData:
    """Tokens of the clips ``rows``; what was played before must be among them."""
    place = {int(row): i for i, row in enumerate(rows)}
    tokens = []
    for first in range(0, len(rows), 4 * BATCH):
        clips = read_clips(data, rows[first : first + 4 * BATCH], run.device)
        tokens.append(torch.cat(tokenizer.tokens_of(clips.spectrogram, clips.conditions), 1).cpu())
        if first // (4 * BATCH) % 20 == 0:
            run.report(f"{first} of {len(rows)} clips made tokens")
    previous = torch.tensor([place.get(data.clips[row].previous, -1) for row in rows])
    return TokenData(torch.cat(tokens), batch_conditions([data.clips[i].conditions for i in rows]), previous)


def train_transformer(
    kind: Kind, clips: PhraseData, tokenizer: Tokenizer, minutes: float, run: TrainingRun
) -> NextScaleTransformer:
    """A trained transformer, its moving average in place; the checkpoint is ``[note_]transformer.pt``.

    Its log has ``held_out`` now and then, the average's loss on clips by instruments that it never hears.
    """
    data = tokenize(clips, kind.rows(clips), tokenizer, run)
    held_out = np.random.default_rng(run.seed).permutation(kind.rows(clips, held_out=True))[:CHECK_CLIPS]
    check = tokenize(clips, np.sort(held_out), tokenizer, run) if len(held_out) >= BATCH else None
    torch.manual_seed(run.seed)
    like = kind.of(run.start)
    network = NextScaleTransformer(NextScaleSizes(kind.layout))
    trainer = run.trainer(f"{kind.name}transformer", network, like and like.transformer)
    for network in (trainer.network, trainer.average):  # a tokenizer trained on has other codes
        network.codes.copy_(tokenizer.quantizer.codes)
    seed = run.seed + trainer.step
    losses = transformer_losses(trainer.network.train(), tokenizer, data, BATCH, seed, run.device, run.half)

    def checked() -> Losses:
        for loss, values in losses:
            if check is None or trainer.step % CHECK_STEPS:
                yield loss, values
            else:
                held_out_loss = mean_loss(trainer.average, tokenizer, check, BATCH, run.device)
                yield loss, {**values, "held_out": held_out_loss}

    return _train(trainer, TRANSFORMER_RATE, minutes, checked())


def train_networks(
    kind: Kind, clips: PhraseData, listener: Listener, minutes: float, run: TrainingRun
) -> Networks:
    """A tokenizer, and a transformer that writes its tokens, within so many minutes."""
    encoding = TOKENIZER_MINUTES_SHARE * minutes
    tokenizer = train_tokenizer(kind, clips, listener, encoding, run)
    return Networks(tokenizer, train_transformer(kind, clips, tokenizer, minutes - encoding, run))


def train(
    data: Path,
    minutes: float,
    *,
    folder: Path,
    resume: bool = False,
    device: str = "auto",
    seed: int = 0,
    start: Path | None = None,
    truncated: bool = False,
    stage: str | None = None,
    bfloat16: bool = False,
    find_presets: FindPresets = lambda report: (),
    report: Report,
) -> Path:
    """Make the clips where there are none yet, train the networks, and write ``folder/mars.safetensors``.

    Args:
        data: folder with ``notes/``, or clips that were made before.
        minutes: in all; each stage has its share of them. Making clips is not counted.
        resume: go on from the checkpoints in ``folder``.
        start: weights to begin with, as far as they fit, where there is no checkpoint.
        truncated: for comparison, with truncation instead of channel multiplexing.
        stage: one of ``TOKENIZER_STAGES`` (with a listener) or ``TRANSFORMER_STAGES``, which gets all
            minutes; the other networks are those of ``start``.
        bfloat16: tokenizers and transformers compute with it on a CPU too.
        find_presets: finds the presets of synthesisers for clips that must be made.

    Raises:
        StruckError: the recorded notes, FluidSynth or a sound font are missing, ``start`` is not MARS'
            weights or is missing for a stage, or there is no such device.
    """
    device = choose_device(device)
    begins = None if start is None else Mars.load(start, "cpu")
    run = TrainingRun(folder, device, report, seed, resume, begins, truncated, bfloat16)
    clips = _clips(data, folder / "data", find_presets, report)
    if stage is None:
        phrases, notes = _train_all(clips, minutes, run)
    elif begins is None:
        raise StruckError(f"to train the {stage} alone the other networks must be given: --start FILE")
    else:
        phrases, notes = _train_stage(stage, clips, minutes, run, begins)
    weights = folder / "mars.safetensors"
    mars = Mars(phrases, notes, device)
    late = measure_lateness(
        clips, lambda clip, asked: sound_of(mars.reconstruct(clip, asked), frames_of(asked))
    )
    report(f"notes of phrases begin {1e3 * late.seconds:.1f} ms and {late.frames:.2f} frames late")
    Mars(phrases, notes, device, late=late).save(weights)
    return weights


def _train_all(clips: PhraseData, minutes: float, run: TrainingRun) -> tuple[Networks, Networks]:
    """Those of phrases and of notes."""
    listening = LISTENER_MINUTES_SHARE * minutes
    listener = train_listener(clips, listening, run)
    noting = NOTES_MINUTES_SHARE * (minutes - listening)
    notes = train_networks(NOTE_KIND, clips, listener, noting, run)
    return train_networks(PHRASE_KIND, clips, listener, minutes - listening - noting, run), notes


def _train_stage(
    stage: str, clips: PhraseData, minutes: float, run: TrainingRun, begins: Mars
) -> tuple[Networks, Networks]:
    """Networks of phrases and of notes, those of ``begins`` but for what ``stage`` trains."""
    if stage in TOKENIZER_STAGES:
        kind = TOKENIZER_STAGES[stage]
        listening = LISTENER_MINUTES_SHARE * minutes
        listener = train_listener(clips, listening, run)
        tokenizer = train_tokenizer(kind, clips, listener, minutes - listening, run)
        transformer = (begins.notes if kind.single else begins.phrases).transformer
        transformer.codes.copy_(tokenizer.quantizer.codes)
    else:
        kind = TRANSFORMER_STAGES[stage]
        tokenizer = (begins.notes if kind.single else begins.phrases).tokenizer.to(run.device)
        transformer = train_transformer(kind, clips, tokenizer, minutes, run)
    mine = Networks(tokenizer, transformer)
    return (begins.phrases, mine) if kind.single else (mine, begins.notes)


def _clips(data: Path, made_in: Path, find_presets: FindPresets, report: Report) -> PhraseData:
    """The clips in ``data`` itself, or those made of its notes before or now."""
    for folder in (data, made_in):
        if (folder / "clips.csv").is_file():
            return PhraseData(folder)
    return build_phrase_data(
        data,
        made_in,
        singles=SINGLES,
        phrases=PHRASES,
        held_out=HELD_OUT,
        seed=DATA_SEED,
        others=[*choose_presets(find_presets(report), DATA_SEED, report), *find_drum_kits()],
        report=report,
    )
