"""Sound to events and back.

An event says: something was struck, it resonates, in a room. It is an onset in seconds, a gain in dB and a
vector of 32 numbers, from which its pitch, brightness, attack, decay, noisiness and room are read. A take is
a file of events. All sound is mono float32 with full scale at 1.

**Hear a sound.** Any sound file will do; here a second of A3 that dies away:

    >>> import numpy as np
    >>> from struck.codec import Encoder, Take, change, describe, read_audio, render, write_audio
    >>> seconds = np.arange(44_100) / 44_100
    >>> write_audio("tone.wav", 0.3 * np.exp(-4 * seconds) * np.sin(2 * np.pi * 220 * seconds), 44_100)
    >>> sound, rate = read_audio("tone.wav")
    >>> events = Encoder("studio").encode(sound, rate)
    >>> loudest = max(events, key=lambda event: event.gain_db)
    >>> heard = describe(loudest)
    >>> abs(heard.pitch_hz - 220) < 3, loudest.onset_seconds < 0.015
    (True, True)

**Change what was heard**, one event by its descriptors, or all of them:

    >>> from struck.codec import Edit, apply_edits
    >>> low = change(loudest, pitch_hz=55, room="hall")
    >>> round(describe(low).pitch_hz), describe(low).room
    (55, 'hall')
    >>> slower = list(apply_edits(events, Edit(stretch=2.0, transpose_semitones=-12)))

**Play it**, at any rate from 22,050 to 192,000 Hz that is a multiple of 150:

    >>> write_audio("heard.wav", render(events, 48_000), 48_000)

**Keep it.** Takes are read by every ``struck`` command, and convert to and from other files:

    >>> from struck.codec import convert
    >>> take = Take.write("tone.mcap", events, source="tone.wav", duration_seconds=1.0)
    >>> take.info()["duration"], list(take.events())[0].onset_seconds == events[0].onset_seconds
    (1.0, True)
    >>> convert("tone.mcap", "tone.jsonl")  # also .mid and .csv

**As it comes.** Blocks of any size give the same events, each as soon as the profile is sure of it:

    >>> from struck.codec import open_audio
    >>> encoder = Encoder("live")
    >>> with open_audio("tone.wav", encoder.rate) as reader:
    ...     heard = [event for block in reader.blocks(512) for event in encoder.process(block)]
    >>> heard += encoder.flush()
    >>> len(heard) > 0
    True

and a :class:`Decoder` plays events block by block. What happens to an event after its onset is told by an
:class:`Amendment` or an :class:`End`; a take keeps them too. What goes wrong outside the program, with a file
say, is a :class:`StruckError` whose message is one clear line:

    >>> read_audio("nowhere.wav")
    Traceback (most recent call last):
    ...
    struck.codec.events.errors.StruckError: sound file not found: nowhere.wav

These names are the public ones; the modules below them may change from version to version. Nothing here needs
torch.
"""

from typing import TYPE_CHECKING

from .lazy_names import lazy_names

if TYPE_CHECKING:
    from .decoder import Decoder, render
    from .descriptions import change, describe
    from .encoder import Encoder
    from .events.amendments import Amendment, End
    from .events.descriptors import Descriptors
    from .events.errors import StruckError
    from .events.events import Event
    from .files.audio_files import open_audio
    from .sounds import read_audio, write_audio
    from .take import Take
    from .takes.conversions import convert
    from .transforms.edits import Edit, apply_edits
    from .weights.codec_weights import load_codec_weights

__all__ = [
    "Amendment",
    "Decoder",
    "Descriptors",
    "Edit",
    "Encoder",
    "End",
    "Event",
    "StruckError",
    "Take",
    "apply_edits",
    "change",
    "convert",
    "describe",
    "load_codec_weights",
    "open_audio",
    "read_audio",
    "render",
    "write_audio",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Amendment": ".events.amendments",
        "Decoder": ".decoder",
        "Descriptors": ".events.descriptors",
        "Edit": ".transforms.edits",
        "Encoder": ".encoder",
        "End": ".events.amendments",
        "Event": ".events.events",
        "StruckError": ".events.errors",
        "Take": ".take",
        "apply_edits": ".transforms.edits",
        "change": ".descriptions",
        "convert": ".takes.conversions",
        "describe": ".descriptions",
        "load_codec_weights": ".weights.codec_weights",
        "open_audio": ".files.audio_files",
        "read_audio": ".sounds",
        "render": ".decoder",
        "write_audio": ".sounds",
    },
)
