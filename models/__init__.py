"""Networks and their training (torch). Nothing here runs on the audio thread.

:class:`Mars` makes backing phrases and single notes:

    >>> from struck.models import Mars, PhraseConditions
    >>> wanted = PhraseConditions(pitch=45, style="pad", instrument="string", chord="minor7", tempo_bpm=96)
    >>> wanted.beats, wanted.loop_seconds
    (8, 5.0)

::

    mars = Mars.load()  # the weights shipped, on a GPU where there is one
    first = mars.generate(wanted, seed=1)
    second = mars.generate(wanted, seed=2, previous=first)  # goes on where the first ends

``first.samples`` is mono float32 at 22,050 Hz, ``first.loop_samples`` where the next phrase begins. How
tokens are drawn is a :class:`Sampling`. These names are the public ones.
"""

from typing import TYPE_CHECKING

from ..codec.lazy_names import lazy_names

if TYPE_CHECKING:
    from .mars.conditions import PhraseConditions
    from .mars.mars import Mars, Phrase, Sampling

__all__ = ["Mars", "Phrase", "PhraseConditions", "Sampling"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Mars": ".mars.mars",
        "Phrase": ".mars.mars",
        "PhraseConditions": ".mars.conditions",
        "Sampling": ".mars.mars",
    },
)
