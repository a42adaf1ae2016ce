"""The accompanist: from notes to phrases that begin on their beat, or to what is played in their place.

::

    note-on        beat              beat              beat
       |            |                 |                 |
       |            [phrase, looped ──────────────────────────...   it was in the bank, or made in time
       |            [stand-in: a note ][phrase, looped ───────...   it was made a beat late

Everything is decided a little before its beat, so that the engine begins it on the sample.

In the own tempo a loop goes round in the engine. By a clock each pass begins on the clock's beat: where the
engine would be off by more than a millisecond, the pass is put into another slot, and where the tempo is
another one the phrase is made anew. ::

    beats of the clock   |       |       |       |        |        |        |        |
    passes               [made for 120 bpm ──────][again, with a gap ───┐   ][made for 110 bpm ──
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from ...codec.events.amendments import End, StreamItem, item_seconds
from ...codec.events.event_spec import GAIN_DB_HIGH, GAIN_DB_LOW
from ...codec.events.events import Event
from ...codec.takes.mpe import velocity_to_gain
from ...models.mars.conditions import PhraseConditions
from ...patches.phrase_patch import HELD, PhrasePatch
from ..engine.parameters import gain_from_db
from ..engine.slots import FADE
from ..stage.stage import Stage
from .bank import KeptPhrase, PhraseBank, PhraseKey
from .beats import Beats
from .hand import ALONE, SETTLE_SECONDS, Hand
from .pitch_ranges import describe_move, into_range
from .slots import PhraseSlots, loop_sound, whole_sound
from .voice import Voice, moment

#: A phrase that is not there so long before its beat is not waited for. It is the time in which this thread
#: must get to run, on a machine that has other things to do.
DECIDE_SECONDS: Final = 0.03
#: What is decided needs so long to reach the engine, beside two blocks.
_LEAD_SECONDS: Final = 0.004
#: The pass that follows is put into its slot so long ahead; events of phrases are sent so long ahead.
_AHEAD_SECONDS: Final = 0.3
_EVENTS_AHEAD_SECONDS: Final = 0.06
#: By a clock a pass is put into another slot so long ahead, if it would be off by more than this.
_LED_AHEAD_SECONDS: Final = 0.1
_DRIFT_SECONDS: Final = 0.001
#: Notes that sound as phrases at once; with two slots for each.
VOICE_LIMIT: Final = 4
#: Orders that wait for this thread. It is never far behind; what is beyond is a flood.
_ORDER_LIMIT: Final = 512
#: Loudness comes from the velocity by few steps, the rest is gain: otherwise nothing would be played twice.
_VELOCITIES: Final = (32, 64, 96, 127)
#: The step at which notes of the patch's ``prepare`` are made.
_PREPARED_VELOCITY: Final = 96
#: Notes that are remembered as likely.
_HISTORY: Final = 16

NoteMaker = Callable[[int, int, float], Event | None]


class Worker(Protocol):
    """Of :class:`~struck.realtime.phrases.worker.PhraseWorker` what is needed here."""

    def request(self, key: PhraseKey) -> None: ...
    def withdraw(self, key: PhraseKey) -> None: ...
    def forget(self) -> None: ...


class Accompanist:
    """Plays notes as phrases. :meth:`note_on` and the like may be called from any thread.

    Args:
        stage: plays events and phrase slots. Counts ``phrases``, begun; ``phrase_misses``, that were not
            there in time; ``phrase_late``, that came in on a later beat; ``phrases_repeated``, passes for
            which the phrase that was to follow was not there; ``phrases_dropped``, notes of a flood.
        slots: of the phrase player.
        bank: of phrases.
        worker: makes them.
        patch: how notes become phrases.
        beats: the grid.
        make_note: of pitch, velocity and onset in seconds, the event of a stand-in; None: it cannot sound.
    """

    def __init__(
        self,
        stage: Stage,
        slots: PhraseSlots,
        bank: PhraseBank,
        worker: Worker,
        patch: PhrasePatch,
        beats: Beats,
        make_note: NoteMaker,
    ) -> None:
        self._stage, self._slots, self._bank, self._worker = stage, slots, bank, worker
        self._patch, self._beats, self._make_note = patch, beats, make_note
        self._rate = stage.clock.rate
        self._song: int | None = None  # of the clock that leads; None: the tempo is our own
        self._lock = threading.Lock()  # the voices'
        self._orders: deque[tuple[str, int, int, int, str]] = deque(maxlen=_ORDER_LIMIT)
        self._voices: list[Voice] = []
        self._played: OrderedDict[tuple[int, str, int], None] = OrderedDict()  # pitch, style, velocity
        self._turns: Counter[PhraseConditions] = Counter()
        self._hand = Hand(self._samples(SETTLE_SECONDS))
        self._moved: set[tuple[str, str]] = set()
        #: Set when there is something to do.
        self.wake = threading.Event()

    # -- from any thread

    def note_on(self, at_sample: int, pitch: int, velocity: int, style: str = "") -> None:
        """A key goes down; ``style`` over the patch's."""
        self._order("on", at_sample, pitch, velocity, style)

    def note_off(self, at_sample: int, pitch: int, style: str = "", held: bool = True) -> None:
        """A key goes up; ``held``: what is latched stays."""
        self._order("off" if held else "stop", at_sample, pitch, 0, style)

    def release_all(self, at_sample: int) -> None:
        """End all phrases, what is latched too."""
        self._order("all", at_sample, 0, 0, "")

    def _order(self, what: str, at_sample: int, pitch: int, velocity: int, style: str) -> None:
        if len(self._orders) == _ORDER_LIMIT:
            self._stage.count("phrases_dropped")
        self._orders.append((what, at_sample, pitch, velocity, style))
        self.wake.set()

    def change(self, patch: PhrasePatch, beats: Beats, make_note: NoteMaker) -> None:
        """Notes to come are played by another patch; what sounds goes on until its note ends."""
        with self._lock:
            self._patch, self._beats, self._make_note = patch, beats, make_note
            self._worker.forget()
            for voice in self._voices:
                voice.asked = False  # they ask again
        self.wake.set()

    def follow(self, beats: Beats, tempo_bpm: float, song: int, position: int) -> None:
        """Go by a clock from now on.

        Args:
            beats: of the clock, as far as is known now.
            tempo_bpm: phrases are made for.
            song: another one than before: beats are not those of before, and what sounds begins its next
                pass on a bar.
            position: stream sample.
        """
        with self._lock:
            began, self._song, self._beats = self._song != song, song, beats
            another_tempo = tempo_bpm != self._patch.tempo_bpm
            if another_tempo:
                self._patch = replace(self._patch, tempo_bpm=tempo_bpm)
                self._worker.forget()
            for voice in self._voices:
                voice.beats = beats
                if another_tempo:
                    voice.asked = False
                if voice.sounding is None:
                    self._put_off(voice, position)
                elif began:
                    voice.find_place(position + self._lead)

    def _put_off(self, voice: Voice, position: int) -> None:
        """What waits for its beat waits for the clock's, and for the phrase of its tempo."""
        if voice.patch.start != "now" or voice.stand_in is not None:
            early = voice.start - voice.beats.samples_of(1) // 2
            when = "beat" if voice.patch.start == "now" else voice.patch.start
            voice.start = moment(voice.beats, when, max(early, position + self._lead))
        key = self._in_tempo(voice.key)
        if key != voice.key:
            voice.key = key
            if key not in self._bank:
                self._worker.request(key)

    def _in_tempo(self, key: PhraseKey) -> PhraseKey:
        """The same phrase in the tempo of now."""
        conditions = key.conditions
        if self._song is None or conditions.tempo_bpm == self._patch.tempo_bpm:
            return key
        tempo_bpm = self._patch.tempo_bpm
        groove = None if key.groove is None else replace(key.groove, tempo_bpm=tempo_bpm)
        return replace(key, conditions=replace(conditions, tempo_bpm=tempo_bpm), groove=groove)

    def panic(self) -> None:
        """Silence, and nothing is held any more."""
        with self._lock:
            self._orders.clear()
            self._hand.clear()
            for voice in self._voices:
                for slot in voice.slots:
                    self._slots.stop(slot, 0)
            self._voices.clear()
            self._worker.forget()

    def likely(self) -> Iterator[PhraseKey]:
        """What may be wanted next: what was played lately, and prepared; how it goes on; how it varies."""
        patch = self._patch
        with self._lock:
            played = list(reversed(self._played))
        prepared = [(pitch, "", _PREPARED_VELOCITY) for pitch in patch.prepare]
        for variation in range(patch.variations):
            for place in range(2 if patch.continues else 1):
                for item in (*played, *prepared):
                    yield PhraseKey(self._conditions(*item), variation, place, patch.seed, patch.as_events)

    @property
    def voice_count(self) -> int:
        """Notes that are held or latched."""
        return len(self._voices)

    # -- this thread's, or that of whoever drives it

    def advance(self, position: int) -> int | None:
        """Do what is due at stream sample ``position``; the sample at which more is, None for never."""
        with self._lock:
            for voice in self._voices:
                if position >= voice.start:  # the pass before has gone, and its slot may be another's soon
                    del voice.slots[:-1]
            while self._orders:
                self._obey(position, *self._orders.popleft())
            due: list[int] = []
            if self._hand.due is not None and position >= self._hand.due:
                self._name_chord(position)
            if self._hand.due is not None:
                due.append(self._hand.due)
            for voice in list(self._voices):
                at_sample = self._serve(voice, position)
                if voice.ends is not None and position >= voice.ends:
                    self._voices.remove(voice)
                elif at_sample is not None:
                    due.append(at_sample if voice.ends is None else min(at_sample, voice.ends))
            return min(due, default=None)

    def _obey(self, position: int, what: str, at_sample: int, pitch: int, velocity: int, style: str) -> None:
        played_at, at_sample = at_sample, max(at_sample, position + self._lead)
        if what == "all":
            self._hand.clear()
            for voice in self._voices:
                self._end(voice, at_sample)
            return
        by_hand = self._patch.chord == HELD if what == "on" else self._hand.holds(pitch)
        if by_hand and not style and what != "stop":
            self._hold(what, played_at, at_sample, pitch, velocity)
            return
        same = [voice for voice in self._voices if voice.pitch == pitch and self._is_meant(voice, style)]
        if what == "on" and not (self._patch.latched and any(voice.ends is None for voice in same)):
            self._begin(at_sample, pitch, velocity, style, same)
            return
        for voice in same:
            # what was begun latched stays so, whatever the patch is now
            if what != "off" or not voice.patch.latched:
                self._end(voice, moment(voice.beats, voice.patch.stop, at_sample))

    def _is_meant(self, voice: Voice, style: str) -> bool:
        """Whether a note that asks for ``style`` means this voice, which another patch may have begun."""
        return voice.asked_style == style or voice.style == (style or self._patch.style)

    # -- chords that are held

    def _hold(self, what: str, played_at: int, at_sample: int, pitch: int, velocity: int) -> None:
        """A key of a patch whose chord is what is held; what it ends can end at ``at_sample``."""
        if what == "on":
            self._hand.press(played_at, pitch, velocity)
        elif self._hand.lift(pitch):
            for voice in self._voices:
                if voice.by_hand and not voice.patch.latched:
                    self._end(voice, moment(voice.beats, voice.patch.stop, at_sample))

    def _name_chord(self, position: int) -> None:
        """The hand has come to rest: begin a phrase by its chord, or let the one that sounds change to it."""
        (pitch, quality), velocity = self._hand.name()
        going_on = [voice for voice in self._voices if voice.by_hand and voice.ends is None]
        if not going_on:
            self._begin(position + self._lead, pitch, velocity, "", [], quality)
            return
        voice = going_on[-1]
        conditions = self._conditions(pitch, voice.style, voice.velocity, quality)
        key = voice.key.by(conditions)
        if key == voice.key:
            voice.wanted = None
            if voice.patch.latched:  # the same chord again
                self._end(voice, moment(voice.beats, voice.patch.stop, position + self._lead))
            return
        if key not in self._bank:
            self._worker.request(key)
        if voice.sounding is None:
            self._worker.withdraw(voice.key)
            voice.key = key
        else:
            voice.wanted = key

    def _change(self, voice: Voice, phrase: KeptPhrase, wanted: PhraseKey, at_sample: int) -> bool:
        """Let the phrase by another chord come in where the one that sounds is then; False without a slot."""
        if self._is_led(voice):  # its passes may be off the clock: from here on they are not
            length = min(voice.beats.samples_of(wanted.conditions.beats), self._slots.frames - FADE)
            passes, place = 0, max(0, length - (voice.next_start - at_sample))
        else:
            length = voice.loop_samples
            passes, place = divmod(at_sample - voice.start, length)
        if voice.patch.as_events:
            self._end_events(voice, at_sample)
            voice.heard.clear()
            voice.announced = sum(self._place(voice, item, length) < place for item in phrase.items)
        else:
            sound = loop_sound(np.roll(np.resize(phrase.sound, length), -place), length)
            slot = self._slots.play(sound, at_sample, True, gain_from_db(voice.gain_db), joins=True)
            if slot is None:
                return False
            del voice.slots[:-1]
            for old in voice.slots:
                self._slots.stop(old, at_sample)
            voice.slots.append(slot)
            voice.silent = None
        voice.start, voice.loop_samples = at_sample - place - passes * length, length
        for _ in range(passes):
            voice.go_round()
        voice.key, voice.sounding, voice.wanted, voice.asked = wanted, phrase, None, False
        self._stage.count("chord_changes")
        return True

    def _serve_change(self, voice: Voice, wanted: PhraseKey, position: int) -> int | None:
        """At a half bar the phrase by another chord, if it is there, else at the next; when to look again."""
        ahead = self._samples(_EVENTS_AHEAD_SECONDS if voice.patch.as_events else DECIDE_SECONDS) + self._lead
        led = self._is_led(voice)
        at_sample = voice.next_half_bar(position + self._lead, led)
        if led and at_sample >= voice.next_start:
            return None  # the pass that begins there is by the other chord
        if position < at_sample - ahead:
            return at_sample - ahead
        phrase = self._bank.get(wanted)
        if phrase is None:
            self._worker.request(wanted)  # others may have pushed it out
        elif self._change(voice, phrase, wanted, at_sample):
            self._silence(voice)
            return None
        return voice.next_half_bar(at_sample + 1, led) - ahead

    # -- notes

    def _begin(
        self,
        at_sample: int,
        pitch: int,
        velocity: int,
        asked_style: str,
        same: list[Voice],
        quality: str | None = None,
    ) -> None:
        """Let a note be a phrase; by the hand's chord where there is a ``quality``."""
        patch = self._patch
        style = asked_style or patch.style
        start = moment(self._beats, patch.start, at_sample)
        conditions = self._conditions(pitch, style, velocity, quality)
        self._tell_move(pitch, conditions)
        keys = [
            PhraseKey(conditions, (self._turns[conditions] + turn) % patch.variations, 0, patch.seed,
                      patch.as_events)
            for turn in range(patch.variations)
        ]  # fmt: skip
        self._turns[conditions] += 1
        # Rather one that is there than one that may be late.
        key = next((key for key in keys if key in self._bank), keys[0])
        for voice in same:
            self._end(voice, start)
        going_on = [voice for voice in self._voices if voice.ends is None]
        if len(going_on) >= VOICE_LIMIT:
            if going_on[0].sounding is None and going_on[0].stand_in is None:
                self._stage.count("phrases_dropped")
            self._end(going_on[0], min(start, going_on[0].start) if not going_on[0].sounding else start)
        self._remember(pitch, style, conditions.velocity)
        gain_db = patch.gain_db + velocity_to_gain(velocity) - velocity_to_gain(conditions.velocity)
        voice = Voice(patch, self._beats, pitch, asked_style, style, key, velocity, gain_db, start)
        voice.by_hand = quality is not None
        self._voices.append(voice)
        if key not in self._bank:
            self._worker.request(key)

    def _end(self, voice: Voice, at_sample: int) -> None:
        """Let a voice end; one that has not begun by then is never heard."""
        if voice.ends is not None and voice.ends <= at_sample:
            return
        voice.ends = at_sample
        if voice.never:
            self._worker.withdraw(voice.key)
        self._silence(voice)

    def _silence(self, voice: Voice) -> None:
        """Pass the end on to what sounds, or is about to."""
        if voice.ends is None:
            return
        for slot in voice.slots:
            self._slots.stop(slot, voice.ends)
        if voice.stand_in is not None or voice.patch.as_events:
            self._end_events(voice, voice.ends)

    def _play_event(self, voice: Voice, event: Event) -> None:
        sounding = self._stage.play(event, "phrase")
        if sounding is not None:
            voice.events.append(sounding.id)
            if event.id is not None:
                voice.heard[event.id] = sounding.id

    def _play_item(self, voice: Voice, item: StreamItem, at_sample: int) -> None:
        """Let something of the phrase happen; what is said of events that do not sound is passed over."""
        seconds = at_sample / self._rate
        if isinstance(item, Event):
            played = replace(item, onset_seconds=seconds, gain_db=self._level(voice, item.gain_db))
            self._play_event(voice, played)
        elif item.id not in voice.heard:
            return
        elif isinstance(item, End):
            id = voice.heard.pop(item.id)
            voice.events.remove(id)
            self._stage.end(id, seconds)
        else:
            gain_db = None if item.gain_db is None else self._level(voice, item.gain_db)
            id = voice.heard[item.id]
            self._stage.correct([replace(item, id=id, at_seconds=seconds, gain_db=gain_db)])

    def _level(self, voice: Voice, gain_db: float) -> float:
        return min(GAIN_DB_HIGH, max(GAIN_DB_LOW, gain_db + voice.gain_db))

    def _end_events(self, voice: Voice, at_sample: int) -> None:
        """Release what is on stage of a voice, also what was sent ahead of its time."""
        for id in voice.events:
            self._stage.end(id, at_sample / self._rate)
        voice.events.clear()
        voice.heard.clear()

    # -- phrases

    def _serve(self, voice: Voice, position: int) -> int | None:
        """Do what is due for a voice; the sample at which more is."""
        if voice.never:
            return voice.ends
        if voice.sounding is None:
            return self._await(voice, position)
        if voice.wanted is not None and position >= voice.start:
            look_at = self._serve_change(voice, voice.wanted, position)
            going_on = self._serve_sounding(voice, voice.sounding, position)
            both = [at_sample for at_sample in (look_at, going_on) if at_sample is not None]
            return min(both, default=None)
        return self._serve_sounding(voice, voice.sounding, position)

    def _serve_sounding(self, voice: Voice, phrase: KeptPhrase, position: int) -> int | None:
        if voice.patch.as_events:
            return self._send_events(voice, phrase, position)
        if voice.loops:
            return self._follow(voice, position)
        end = voice.start + len(phrase.sound)
        if position >= end:
            voice.ends = min(end, voice.ends or end)
        return end

    def _await(self, voice: Voice, position: int) -> int | None:
        """On its beat the phrase, if it is there; else a note in its place, and the phrase a beat later."""
        phrase = self._bank.get(voice.key)
        if phrase is not None and position <= voice.start - self._lead:
            start, stand_in = voice.start, voice.stand_in
            if self._play(voice, phrase, start, joins=False):
                if stand_in is not None:
                    self._stage.count("phrase_late")
                    self._end_events(voice, start)
                    voice.stand_in = None
                self._silence(voice)
                return self._serve(voice, position)
        decide_at = voice.start - self._samples(DECIDE_SECONDS)
        if phrase is None and position < decide_at:
            return decide_at
        if voice.stand_in is None:
            self._stand_in(voice)
            self._silence(voice)
        if phrase is None:
            self._worker.request(voice.key)  # others may have pushed it out
        when = "beat" if voice.patch.start == "now" else voice.patch.start
        voice.start = moment(voice.beats, when, max(voice.start + 1, position + self._lead))
        return voice.start - self._samples(DECIDE_SECONDS)

    def _stand_in(self, voice: Voice) -> None:
        voice.stand_in = voice.start
        self._stage.count("phrase_misses")
        event = self._make_note(voice.pitch, voice.velocity, voice.start / self._rate)
        if event is not None:
            self._play_event(voice, event)

    def _play(self, voice: Voice, phrase: KeptPhrase, at_sample: int, joins: bool) -> bool:
        """Let a pass begin; False for lack of a slot."""
        loop_samples = voice.beats.samples_of(voice.key.conditions.beats)
        silent = None
        if not voice.patch.as_events:
            # A phrase of a much faster tempo has no room for its beats: it ends before they do.
            loops = voice.loops and loop_samples + FADE <= self._slots.frames
            sound = loop_sound(phrase.sound, loop_samples) if loops else whole_sound(phrase.sound)
            slot = self._slots.play(sound, at_sample, loops, gain_from_db(voice.gain_db), joins)
            if slot is None:
                return False
            del voice.slots[:-1]
            for before in voice.slots:
                self._slots.stop(before, min(at_sample, voice.start + voice.loop_samples))
            voice.slots.append(slot)
            silent = None if loops else at_sample + len(sound)
        voice.sounding = phrase
        voice.begin_pass(at_sample, loop_samples, silent)
        self._stage.count("phrases")
        return True

    def _follow(self, voice: Voice, position: int) -> int | None:
        """The pass after the one that sounds, where each is to be a new one."""
        if self._song is not None:
            return self._keep_up(voice, position)
        next_start = voice.start + voice.beats.loop_samples
        if not voice.patch.continues or (voice.ends is not None and voice.ends <= next_start):
            return voice.ends
        key = self._key_of_next(voice)
        self._ask_for_next(voice, key)
        if position < next_start - self._samples(_AHEAD_SECONDS):
            return next_start - self._samples(_AHEAD_SECONDS)
        phrase = self._bank.get(key)
        if self._may_come(voice, key, phrase) and position < next_start - self._decide:
            return next_start - self._decide
        in_time = phrase is not None and position <= next_start - self._lead
        if in_time and phrase and self._play_next(voice, key, phrase, next_start, joins=True):
            self._silence(voice)
        else:  # the engine goes round by itself
            self._stage.count("phrases_repeated")
            voice.go_round()
        return self._follow(voice, position)

    def _keep_up(self, voice: Voice, position: int) -> int | None:
        """The pass after the one that sounds, on the clock's beat and in its tempo."""
        next_start = voice.next_start
        if voice.ends is not None and voice.ends <= next_start:
            return voice.ends
        joint = voice.start + voice.loop_samples
        if voice.silent is not None and position >= voice.silent:
            voice.slots.clear()  # it may be another's soon
        ahead = self._samples(_LED_AHEAD_SECONDS)
        drift = self._samples(_DRIFT_SECONDS)
        if voice.silent is None and next_start > joint + drift:
            if position < joint - ahead:
                return joint - ahead
            for slot in voice.slots:  # it would begin again before its beat
                self._slots.stop(slot, joint)
            voice.silent = joint
        key = self._key_of_next(voice)
        self._ask_for_next(voice, key)
        if position < next_start - ahead:
            return next_start - ahead
        phrase = self._bank.get(key)
        if self._may_come(voice, key, phrase) and position < next_start - self._decide:
            return next_start - self._decide
        if phrase is None:
            key, phrase = voice.key, voice.sounding
            self._stage.count("phrases_repeated")
        in_time = phrase is not None and position <= next_start - self._lead
        if voice.silent is None and key == voice.key and abs(next_start - joint) <= drift:
            voice.go_round()
        elif in_time and phrase and self._play_next(voice, key, phrase, next_start, next_start <= joint):
            self._silence(voice)
        elif voice.silent is None:
            voice.go_round()
        else:
            voice.next_beat += voice.beats.beats_per_bar
        return self._keep_up(voice, position)

    def _play_next(
        self, voice: Voice, key: PhraseKey, phrase: KeptPhrase, at_sample: int, joins: bool
    ) -> bool:
        """Let the pass after begin; False for lack of a slot, and nothing has changed."""
        before, voice.key = voice.key, key
        if self._play(voice, phrase, at_sample, joins):
            self._note_change(voice)
            return True
        voice.key = before
        return False

    def _may_come(self, voice: Voice, key: PhraseKey, phrase: KeptPhrase | None) -> bool:
        """Whether what the next pass is to be may still be made: itself, or the one by another chord."""
        return phrase is None or (voice.wanted is not None and voice.wanted != key)

    def _note_change(self, voice: Voice) -> None:
        """A pass begins: by the other chord that was wanted, perhaps."""
        if voice.wanted is not None and voice.key == voice.wanted:
            voice.wanted = None
            self._stage.count("chord_changes")

    def _key_of_next(self, voice: Voice) -> PhraseKey:
        """What the pass after the one that sounds is to be: by another chord, if one is wanted and made."""
        if voice.wanted is not None and voice.wanted in self._bank:
            return voice.wanted
        return self._in_tempo(voice.key.next if voice.patch.continues else voice.key)

    def _ask_for_next(self, voice: Voice, key: PhraseKey) -> None:
        if key not in (voice.key, voice.wanted) and not voice.asked:
            voice.asked = True
            self._worker.request(key)

    def _send_events(self, voice: Voice, phrase: KeptPhrase, position: int) -> int | None:
        """What of the pass is due soon; at the pass's end the next one begins."""
        ahead = self._samples(_EVENTS_AHEAD_SECONDS)
        length = self._pass_samples(voice, phrase)
        until = voice.start + length if voice.ends is None else min(voice.ends, voice.start + length)
        for item in phrase.items[voice.announced :]:
            at_sample = voice.start + self._place(voice, item, length)
            if at_sample >= until:
                break
            if at_sample - ahead > position:
                return at_sample - ahead
            self._play_item(voice, item, at_sample)
            voice.announced += 1
        if not voice.loops:
            voice.ends = until
            return until
        if until < voice.start + length:
            return until
        key = self._key_of_next(voice)
        self._ask_for_next(voice, key)
        if position < until - ahead:
            return until - ahead
        # What the codec heard end once the sound was over ends with the pass, for the next one has its own.
        for item in phrase.items[voice.announced :]:
            if isinstance(item, End):
                self._play_item(voice, item, until)
        following = self._bank.get(key) if key != voice.key else None
        if following is not None:
            voice.key, voice.sounding = key, following
            self._stage.count("phrases")
            self._note_change(voice)
        elif key != voice.key:
            self._stage.count("phrases_repeated")
        voice.begin_pass(until, voice.beats.samples_of(voice.key.conditions.beats))
        return position

    def _pass_samples(self, voice: Voice, phrase: KeptPhrase) -> int:
        """Length of the pass that sounds."""
        if not voice.loops:
            return len(phrase.sound)
        return voice.loop_samples if self._song is None else max(1, voice.next_start - voice.start)

    def _place(self, voice: Voice, item: StreamItem, pass_samples: int) -> int:
        """Where in the pass, in samples from its beginning, something of the phrase lies."""
        samples = round(item_seconds(item) * self._rate)
        if self._song is None or not voice.loops:
            return samples
        return round(samples * pass_samples / (voice.key.conditions.loop_seconds * self._rate))

    # -- small ones

    def _is_led(self, voice: Voice) -> bool:
        """Whether passes of a voice go by a clock."""
        return self._song is not None and voice.loops

    @property
    def _decide(self) -> int:
        """So many samples before a pass it is decided what that is."""
        return max(self._samples(DECIDE_SECONDS), self._lead + self._stage.clock.block_frames)

    @property
    def _lead(self) -> int:
        """What is decided now reaches the engine so much later at the latest."""
        return 2 * self._stage.clock.block_frames + self._samples(_LEAD_SECONDS)

    def _samples(self, seconds: float) -> int:
        return round(seconds * self._rate)

    def _conditions(
        self, pitch: int, style: str, velocity: int, quality: str | None = None
    ) -> PhraseConditions:
        patch = self._patch
        step = min(_VELOCITIES, key=lambda step: abs(step - velocity))
        chord = quality or (ALONE if patch.chord == HELD else patch.chord)
        return into_range(
            PhraseConditions(
                pitch,
                step,
                style or patch.style,
                patch.instrument,
                chord,
                patch.tempo_bpm,
                swing_percent=patch.swing_percent,
            )
        )

    def _tell_move(self, pitch: int, played: PhraseConditions) -> None:
        """Tell, once for each instrument and style, that keys out of its range are played octaves away."""
        if played.pitch != pitch and (played.instrument, played.style) not in self._moved:
            self._moved.add((played.instrument, played.style))
            self._stage.tell(f"phrases: {describe_move(replace(played, pitch=pitch), played)}")

    def _remember(self, pitch: int, style: str, velocity: int) -> None:
        item = (pitch, style, velocity)
        self._played.pop(item, None)
        self._played[item] = None
        while len(self._played) > _HISTORY:
            self._played.popitem(last=False)
