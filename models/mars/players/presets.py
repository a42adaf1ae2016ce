"""Presets of synthesisers as players: their families by their names, and what each sounds like, measured.

A preset may be anything. It becomes a player when what it plays has the pitch of its key, begins and ends
when it should, goes on under another note, and is the same each time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import mido
import numpy as np

from struck.codec.events.event_spec import ANALYSIS_RATE

from ...codec.notes import find_onset
from .player import SILENCE, SYNTHESISER, Play, Player, PlayerLostError

#: Never trained on: all of its presets.
HELD_OUT_SYNTHESISER: Final = "MDA DX10"
#: Words in the names of presets, banks and synthesisers, and the family that they tell; the first that fits.
_FAMILIES: Final = (
    (r"steel drum|vibra(?!t)|marimba|xylo|glock|bell(?!y|ow)|chime|celest|music box", "mallet"),
    (r"kalimba|thumb piano|tinkle", "mallet"),
    (r"drum|\btom\b|perc|kick|snare|nois|scratch|helicopter|car horn|\bfx\b|effect", ""),
    (r"arpeg|aporg|sequence|splitted", ""),
    (r"clarinet|oboe|sax|bassoon|\breed|accordion|harmonica|melodica", "reed"),
    (r"bass", "bass"),
    (r"piano|rhodes|\be\.?p\b|clav|harpsi|wurli", "piano"),
    (r"flute|whistl|pan ?pipe|ocarina|recorder", "flute"),
    (r"organ|hammond|\bpipe", "organ"),
    (r"guitar|koto|sitar|banjo|shamisen|\blute|pluck", "guitar"),
    (r"string|violin|viola|cello|orchestra|pizz|\bharp\b", "string"),
    (r"choir|voice|vocal|vox\b|\ba+h+\b|\boo+h?\b|\behh\b", "voice"),
    (r"bra[sz][sz]|th?rumpet|trombone|\bhorn|tuba", "brass"),
    (r"\bwind", "flute"),
)
#: So many presets of a synthesiser in one family are enough.
_MOST_OF_A_FAMILY: Final = 24
#: Two keys that a player is heard on, and how much above the first the third one is.
_KEYS: Final = {"bass": (36, 47)}
_OTHER_KEYS: Final = (48, 67)
_OVER: Final = 6
_NOTE_SECONDS: Final = 1.0
_PIECE_SECONDS: Final = 1.5
_LATEST_SECONDS: Final = 0.03
#: The part of a note whose pitch is heard: after its attack, and after the third note began.
_HEARD_SECONDS: Final = (0.15, 0.9)
_CENTS: Final = 30.0
_HARMONICS: Final = 12
#: Of the power up to the last harmonic, what must be in harmonics; of theirs, what must be in the first (a
#: fifth is all harmonics of a lower octave), and in those that an octave or a twelfth above would not have.
_HARMONIC_SHARE: Final = 0.75
_FIRST_SHARE: Final = 0.01
_OWN_SHARE: Final = 0.05
#: Of a note's peak, what is heard at most once all sound has been switched off.
_RESIDUE: Final = 0.01
#: A note under another may be so much weaker, in power.
_UNDER: Final = 0.1


class UnfitError(ValueError):
    """A preset that can be no player."""


@dataclass(frozen=True)
class Preset:
    """One preset of a synthesiser.

    Args:
        synthesiser: its name.
        name: of the preset; that of a bank may stand before it, with a colon between them.
        play: plays with it; raises :class:`~struck.models.mars.players.player.PlayerLostError`.
    """

    synthesiser: str
    name: str
    play: Play


def family_of(preset: Preset) -> str:
    """Its instrument family; empty where it is no instrument that has a pitch."""
    bank, _, name = preset.name.rpartition(": ")
    for text in (name, bank, preset.synthesiser):
        for words, family in _FAMILIES:
            if re.search(words, re.sub(r"[\d_\-]+", " ", text.lower())):
                return family
    return "synth"


def choose_presets(presets: Sequence[Preset], seed: int, report: Callable[[str], None]) -> list[Player]:
    """Players for those that may play, at most so many of a synthesiser in each family.

    Args:
        seed: of the order in which they are tried.
        report: told of those that failed.
    """
    heard: list[tuple[Player, np.ndarray]] = []
    counts: Counter[tuple[str, str]] = Counter()
    order = sorted(presets, key=lambda preset: (preset.synthesiser, preset.name))
    for number, place in enumerate(np.random.default_rng(seed).permutation(len(order))):
        preset = order[place]
        family = family_of(preset)
        of_its_like = preset.synthesiser, family
        if number % 100 == 99:
            report(f"{number + 1} of {len(order)} presets heard, {len(heard)} of them may play")
        if not family or counts[of_its_like] == _MOST_OF_A_FAMILY:
            continue
        held_out = preset.synthesiser == HELD_OUT_SYNTHESISER
        player = Player(SYNTHESISER, family, f"{preset.synthesiser}:{preset.name}", preset.play, held_out)
        sound = _hear(player, report)
        try:
            heard.append((replace(player, octaves=measure(sound, family)), sound))
        except UnfitError:
            continue
        counts[of_its_like] += 1
    # Not at once: what draws its randomness from the clock would be the same within a second.
    players = [player for player, sound in heard if np.array_equal(_hear(player, report), sound)]
    report(f"{len(players)} of {len(heard)} are the same when they are heard again")
    return sorted(players, key=lambda player: player.source)


def _hear(player: Player, report: Callable[[str], None]) -> np.ndarray:
    """How a player plays what it is heard by; nothing where it fails."""
    try:
        return player.play(audition(player.family))
    except PlayerLostError as error:
        report(f"{player.source} is left out: {error}")
        return np.zeros(0, np.float32)


def measure(sound: np.ndarray, family: str) -> int:
    """By how many octaves above the key a player must be played, to be heard at the key.

    Args:
        sound: float32 [T], how it plays :func:`audition`.
        family: that it shall belong to.

    Raises:
        UnfitError: it is no player; the message says why.
    """
    keys = _KEYS.get(family, _OTHER_KEYS)
    count = round(_PIECE_SECONDS * ANALYSIS_RATE)
    first, second, both = np.resize(np.pad(sound, (0, 3 * count)), (3, count))
    if not np.isfinite(sound).all() or min(np.abs(piece).max() for piece in (first, second, both)) < SILENCE:
        raise UnfitError("silent")
    if max(find_onset(first), find_onset(second)) > _LATEST_SECONDS * ANALYSIS_RATE:
        raise UnfitError("late")
    for piece in (first, second, both):
        if np.abs(piece[-count // 50 :]).max() > _RESIDUE * np.abs(piece).max():
            raise UnfitError("rings on")
    for octaves in (0, 1, -1):
        if has_pitch(first, keys[0] - 12 * octaves) and has_pitch(second, keys[1] - 12 * octaves):
            break
    else:
        raise UnfitError("another pitch")
    alone, under = (_harmonic_powers(*_spectrum(piece), keys[0] - 12 * octaves) for piece in (first, both))
    strongest = alone.argmax()
    if under[strongest] < _UNDER * alone[strongest]:
        raise UnfitError("one note at a time")
    return octaves


def audition(family: str) -> mido.MidiFile:
    """What a player of a family plays to be heard: two notes, and the first with a third one over it."""
    keys = _KEYS.get(family, _OTHER_KEYS)
    midi = mido.MidiFile(ticks_per_beat=500)  # at the default 120 beats per minute a tick is a millisecond
    track = mido.MidiTrack()
    midi.tracks.append(track)
    note_ms, piece_ms, over_ms = round(1e3 * _NOTE_SECONDS), round(1e3 * _PIECE_SECONDS), 50
    rest = 0
    for key, over in ((keys[0], None), (keys[1], None), (keys[0], keys[0] + _OVER)):
        track.append(mido.Message("note_on", note=key, velocity=100, time=rest))
        if over is not None:
            track.append(mido.Message("note_on", note=over, velocity=100, time=over_ms))
            track.append(mido.Message("note_off", note=over, time=note_ms - over_ms))
        track.append(mido.Message("note_off", note=key, time=0 if over else note_ms))
        for control in (120, 123):
            track.append(mido.Message("control_change", control=control, value=0))
        rest = piece_ms - note_ms
    track.append(mido.MetaMessage("end_of_track", time=rest))
    return midi


def has_pitch(note: np.ndarray, key: int) -> bool:
    """Whether a note, float32 [T] at the analysis rate from its beginning on, is heard at ``key``."""
    frequencies, power = _spectrum(note)
    harmonics = _harmonic_powers(frequencies, power, key)
    highest = _frequency(key) * (_HARMONICS + 0.5)
    whole = power[frequencies < highest].sum()
    if harmonics.sum() < _HARMONIC_SHARE * whole or harmonics[0] < _FIRST_SHARE * harmonics.sum():
        return False
    number = np.arange(1, _HARMONICS + 1)
    return all(harmonics[number % n != 0].sum() > _OWN_SHARE * harmonics.sum() for n in (2, 3))


def _spectrum(note: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and power, of the part of a note whose pitch is heard."""
    first, end = (round(seconds * ANALYSIS_RATE) for seconds in _HEARD_SECONDS)
    part = note[first:end] * np.hanning(end - first)
    return np.fft.rfftfreq(end - first, 1.0 / ANALYSIS_RATE), np.abs(np.fft.rfft(part)) ** 2


def _harmonic_powers(frequencies: np.ndarray, power: np.ndarray, key: int) -> np.ndarray:
    """[12] Power in each harmonic of a key, as far as its frequency is right."""
    bin_hz = frequencies[1]
    found = []
    for frequency in _frequency(key) * np.arange(1, _HARMONICS + 1):
        # The window's main lobe is four bins wide.
        width = frequency * (2.0 ** (_CENTS / 1200.0) - 1.0) + 2.0 * bin_hz
        found.append(power[np.abs(frequencies - frequency) <= width].sum())
    return np.array(found)


def _frequency(key: int) -> float:
    return float(440.0 * 2.0 ** ((key - 69) / 12.0))
