"""pedalboard, an optional module under the GPL-3: it is imported here alone, in the inserts' process."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from ....codec.events.errors import StruckError

#: The method of pedalboard's VST3Plugin that is cut short.
SLOW_START: Final = "__set_initial_parameter_values__"


@cache
def load_pedalboard() -> Any:
    """The module, with its slow start of VST3 plug-ins cut short.

    It sets each parameter of a plug-in to a thousand values to learn how they are written, which takes up to
    minutes; here parameters are used as the standard has them, from 0 to 1. The name is a private one, and a
    test says whether it is still there.

    Raises:
        StruckError: it is not installed.
    """
    try:
        import pedalboard
    except ImportError:
        raise StruckError(
            "this needs pedalboard, which is not installed (pip install struck[vst3]; it is under the GPL-3)"
        ) from None
    setattr(pedalboard.VST3Plugin, SLOW_START, lambda self, values: None)
    return pedalboard
