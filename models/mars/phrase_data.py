"""Training sound for MARS: notes and phrases that players play, and recorded single notes.

Made once into a folder and read from there::

    audio.npy   int16 [all samples] at the analysis rate, one clip after the other
    clips.csv   what each is: conditions, source, whether the instrument is held out, the clip before it

A clip is a single note, a phrase, or the phrase that follows another (``previous``), which then holds
the other's last notes dying away, as the player left them. A phrase that follows none is a loop in its second
pass: its own last notes die away over its beginning.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import mido
import numpy as np

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.files.part_files import part_file

from ..codec.notes import find_onset, load_recorded_notes
from .conditions import PhraseConditions
from .phrase_scores import ScoreNote, draw_conditions, vary, write_score
from .players.player import SILENCE, SOUND_FONT, Play, Player, PlayerLostError
from .players.sound_font_players import find_sound_font_players

_TICKS_PER_SECOND: Final = 960
#: Of silence, between what is played for one clip and for the next.
_PAUSE_SECONDS: Final = 0.5
_CLIPS_PER_RENDERING: Final = 120
#: How many clips are by others than sound fonts, where there are others.
_SYNTHESISERS_SHARE: Final = 1.0 / 3.0
_DRUM_KITS_SHARE: Final = 0.5
#: Never trained on.
HELD_OUT_RECORDINGS: Final = (
    "sullivan-wurlitzer-ep200", "vcsl-folk-harp", "iowa-soprano-saxophone", "iowa-french-horn",
    "voice-claudia-ah", "voice-claudia-ih", "iowa-bass-flute",
)  # fmt: skip
_FAMILY_OF_RECORDING: Final = {"keyboard": "piano", "vocal": "voice"}
#: All clips are played straight: swing is made of what was learnt.
_COLUMNS: Final = tuple(f.name for f in fields(PhraseConditions) if f.name != "swing_percent")

Report = Callable[[str], None]


@dataclass(frozen=True)
class Clip:
    """What one row of the data is."""

    conditions: PhraseConditions
    source: str
    held_out: bool
    recorded: bool = False
    previous: int = -1


@dataclass(frozen=True)
class _Slot:
    """What a player plays in one go, and the clip cut out of it ``cut_at`` seconds after its start."""

    player: Player
    notes: list[ScoreNote]
    cut_at: float
    clip: Clip


class PhraseData:
    """An opened folder of training clips.

    Attributes:
        audio: int16 [samples of all clips], memory-mapped.
        clips: what each is.

    Raises:
        StruckError: there is no data in ``folder``, or it does not fit together.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.audio: np.ndarray = np.load(folder / "audio.npy", mmap_mode="r")
            with (folder / "clips.csv").open(encoding="utf-8", newline="") as file:
                self.clips = [_read_row(row) for row in csv.DictReader(file)]
        except (OSError, ValueError, KeyError) as error:
            raise StruckError(f"no training clips in {folder}: {error}") from error
        counts = [clip.conditions.sample_count for clip in self.clips]
        self._begins = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        if self.audio.shape != (self._begins[-1],) or self.audio.dtype != np.int16:
            raise StruckError(f"the clips in {folder} do not fit their list")

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def held_out(self) -> np.ndarray:
        """bool [N]: by an instrument never trained on."""
        return np.array([clip.held_out for clip in self.clips])

    @property
    def conditions(self) -> list[PhraseConditions]:
        """What each clip was asked to be."""
        return [clip.conditions for clip in self.clips]

    @property
    def previous(self) -> np.ndarray:
        """int64 [N]: the clip that was played before, or -1."""
        return np.array([clip.previous for clip in self.clips])

    def samples(self, index: int) -> np.ndarray:
        """float32 [``sample_count`` of its conditions] of one clip."""
        return self.audio[self._begins[index] : self._begins[index + 1]].astype(np.float32) / 32768.0


def _read_row(row: dict[str, str]) -> Clip:
    conditions = PhraseConditions(
        int(row["pitch"]),
        int(row["velocity"]),
        row["style"],
        row["instrument"],
        row["chord"],
        float(row["tempo_bpm"]),
        tuple((pitch, quality) for pitch, quality in json.loads(row["chords"])),
    )
    return Clip(
        conditions, row["source"], row["held_out"] == "1", row["recorded"] == "1", int(row["previous"])
    )


def build_phrase_data(
    data: Path,
    folder: Path,
    *,
    singles: int,
    phrases: int,
    held_out: int,
    seed: int,
    others: Sequence[Player] = (),
    report: Report,
) -> PhraseData:
    """Render everything into ``folder``; the same arguments give the same data.

    Args:
        data: folder with ``notes/``.
        singles: single notes, beside all recorded ones.
        phrases: phrases; a third of them is followed by another, which counts too.
        held_out: clips by held-out players, half of them single notes, beside the recorded ones held out.
        others: players beside those of sound fonts; what one plays that fails is left out.

    Raises:
        StruckError: FluidSynth, a sound font or the recorded notes are missing.
    """
    rng = np.random.default_rng(seed)
    players = [*find_sound_font_players(), *others]
    for kind, count in Counter(player.kind for player in players).items():
        report(f"{count} players of the kind {kind}")
    slots = _plan(rng, players, singles, phrases, held_out)
    sounds: list[np.ndarray | None] = [None] * len(slots)
    done = 0
    played_together: dict[Play, list[int]] = {}
    for i, slot in enumerate(slots):
        played_together.setdefault(slot.player.play, []).append(i)
    for play, mine in played_together.items():
        for first in range(0, len(mine), _CLIPS_PER_RENDERING):
            chosen = mine[first : first + _CLIPS_PER_RENDERING]
            done += len(chosen)
            report(f"{done} of {len(slots)} clips played")
            try:
                rendered = _render(play, [slots[i] for i in chosen])
            except PlayerLostError as error:
                report(f"{slots[chosen[0]].player.source}: {len(chosen)} clips are left out: {error}")
                continue
            for i, sound in zip(chosen, rendered, strict=True):
                # Some instruments have no such key.
                if np.isfinite(sound).all() and np.abs(sound).max() > SILENCE:
                    sounds[i] = _level(sound, slots[i].clip.conditions.velocity)
    kept = [i for i, sound in enumerate(sounds) if sound is not None]
    place = {old: new for new, old in enumerate(kept)}
    clips = [replace(slots[i].clip, previous=place.get(slots[i].clip.previous, -1)) for i in kept]
    rows = [sounds[i] for i in kept]
    for sound, clip in _recorded(data):
        rows.append(_level(sound, clip.conditions.velocity))
        clips.append(clip)
    folder.mkdir(parents=True, exist_ok=True)
    with part_file(folder / "audio.npy") as part, part.open("wb") as file:
        np.save(file, np.concatenate([row for row in rows if row is not None]))
    with part_file(folder / "clips.csv") as part, part.open("w", encoding="utf-8", newline="") as listing:
        writer = csv.writer(listing)
        writer.writerow((*_COLUMNS, "source", "held_out", "recorded", "previous"))
        for clip in clips:
            numbers = (clip.source, int(clip.held_out), int(clip.recorded), clip.previous)
            asked = clip.conditions.as_dict()
            asked["chords"] = json.dumps(asked["chords"])
            writer.writerow((*(asked[name] for name in _COLUMNS), *numbers))
    return PhraseData(folder)


def _plan(
    rng: np.random.Generator, players: Sequence[Player], singles: int, phrases: int, held_out: int
) -> list[_Slot]:
    slots: list[_Slot] = []

    def add(conditions: PhraseConditions, held: bool) -> None:
        score = write_score(conditions, rng)
        able = [p for p in players if (p.family, p.held_out) == (conditions.instrument, held)]
        player = _choose(rng, able, score)
        clip = Clip(conditions, player.source, held)
        if conditions.style == "single":
            slots.append(_Slot(player, score, 0.0, clip))
            return
        length = conditions.loop_seconds
        slots.append(_Slot(player, score + _later(score, length), length, clip))
        if rng.random() > 1.0 / 3.0:
            return
        following = vary(conditions, rng)
        more = write_score(following, rng)
        if player.has(_keys(more)):
            clip = Clip(following, player.source, held, previous=len(slots) - 1)
            slots.append(_Slot(player, score + _later(more, length), length, clip))

    for _ in range(singles):
        add(draw_conditions(rng, "single"), False)
    while len(slots) < singles + phrases:
        add(draw_conditions(rng), False)
    end = len(slots) + held_out
    for _ in range(held_out // 2):
        add(draw_conditions(rng, "single"), True)
    while len(slots) < end:
        add(draw_conditions(rng), True)
    return slots


def _choose(rng: np.random.Generator, players: Sequence[Player], score: list[ScoreNote]) -> Player:
    """One of those that can play a score."""
    fonts = [player for player in players if player.kind == SOUND_FONT]
    others = [player for player in players if player.kind != SOUND_FONT and player.has(_keys(score))]
    share = _DRUM_KITS_SHARE if fonts[0].family == "drums" else _SYNTHESISERS_SHARE
    able = others if others and rng.random() < share else fonts
    weights = np.array([player.weight for player in able])
    return able[rng.choice(len(able), p=weights / weights.sum())]


def _keys(score: list[ScoreNote]) -> set[int]:
    return {note.key for note in score}


def _later(score: list[ScoreNote], seconds: float) -> list[ScoreNote]:
    return [replace(note, start=note.start + seconds) for note in score]


def _render(play: Play, slots: list[_Slot]) -> list[np.ndarray]:
    """float32 [samples of its clip] each, all played in one go."""
    midi = mido.MidiFile(ticks_per_beat=_TICKS_PER_SECOND // 2)  # at the default 120 beats per minute
    track = mido.MidiTrack()
    midi.tracks.append(track)
    messages: list[tuple[int, mido.Message]] = []
    begin = 0
    begins = []
    for slot in slots:
        begins.append(begin)
        player = slot.player
        channel = 9 if player.family == "drums" else 0
        if player.program is not None:
            messages.append((begin, mido.Message("program_change", channel=channel, program=player.program)))
        for note in slot.notes:
            on = begin + 1 + round(note.start * _TICKS_PER_SECOND)
            off = on + max(1, round(note.seconds * _TICKS_PER_SECOND))
            key = min(127, max(0, note.key + 12 * player.octaves))
            messages.append((on, mido.Message("note_on", channel=channel, note=key, velocity=note.velocity)))
            messages.append((off, mido.Message("note_off", channel=channel, note=key)))
        seconds = slot.cut_at + slot.clip.conditions.sample_count / ANALYSIS_RATE
        end = begin + 2 + round(seconds * _TICKS_PER_SECOND)  # the clip begins a tick after its slot
        for control in (120, 123):  # all sound off, all notes off: some synthesisers know only one
            message = mido.Message("control_change", channel=channel, control=control, value=0)
            messages.append((end, message))
        begin = end + round(_PAUSE_SECONDS * _TICKS_PER_SECOND)
    now = 0
    # A note that ends where the same key begins again must end first.
    for tick, message in sorted(messages, key=lambda m: (m[0], m[1].type != "note_off")):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=begin - now))
    sound = play(midi)
    clips = []
    for slot, begin in zip(slots, begins, strict=True):
        first = round(((begin + 1) / _TICKS_PER_SECOND + slot.cut_at) * ANALYSIS_RATE)
        count = slot.clip.conditions.sample_count
        clip = sound[first : first + count]
        clips.append(np.pad(clip, (0, count - len(clip))))
    return clips


def _recorded(data: Path) -> list[tuple[np.ndarray, Clip]]:
    """Recorded single notes, begun at their onset, cut and faded to the clip's length."""
    clips = []
    for note in load_recorded_notes(data):
        family = _FAMILY_OF_RECORDING.get(note.family, note.family)
        conditions = PhraseConditions(round(note.pitch_midi), note.velocity, "single", family)
        count = conditions.sample_count
        sound = note.samples[max(0, find_onset(note.samples) - 32) :][:count]
        fade = min(len(sound), ANALYSIS_RATE // 20)
        sound = sound.copy()
        sound[len(sound) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
        held = note.instrument in HELD_OUT_RECORDINGS
        clip = Clip(conditions, f"recorded:{note.instrument}", held, recorded=True)
        clips.append((np.pad(sound, (0, count - len(sound))), clip))
    return clips


def _level(sound: np.ndarray, velocity: int) -> np.ndarray:
    """int16, its peak set by the velocity: sound fonts and recordings differ too much among themselves."""
    peak = float(np.abs(sound).max())
    return np.round(sound * (0.9 * velocity / 127.0 / peak * 32767.0)).astype(np.int16)
