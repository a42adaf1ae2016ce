"""What keeps a flood of messages from filling memory, the processor or the performer's screen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

_TOLD_EVERY_SECONDS: Final = 1.0
_LINE_CHARACTERS: Final = 200


class TokenBucket:
    """So many at once, then so many per second.

    Args:
        rate_per_second: refill.
        burst: tokens in a full bucket, as it is at first.
    """

    def __init__(self, rate_per_second: float, burst: int) -> None:
        self._rate_per_second = rate_per_second
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled_at = 0.0  # a bucket that is full gains nothing from then to now

    def take(self, now_seconds: float) -> bool:
        """Take one token; False if there is none. A time before the last one counts as the last."""
        gained = max(0.0, now_seconds - self._filled_at) * self._rate_per_second
        self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = max(now_seconds, self._filled_at)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class SenderBuckets:
    """A bucket for each of many senders, and one for all of them together.

    Senders are remembered up to a limit; beyond it, the one that was heard of longest ago is forgotten, and
    begins with a full bucket: the common one holds whoever invents senders.

    Args:
        rate_per_second, burst: of one sender.
        total_rate_per_second, total_burst: of all.
        limit: senders remembered.
    """

    def __init__(
        self,
        rate_per_second: float,
        burst: int,
        total_rate_per_second: float,
        total_burst: int,
        limit: int = 256,
    ) -> None:
        self._one = rate_per_second, burst
        self._all = TokenBucket(total_rate_per_second, total_burst)
        self._limit = limit
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def take(self, sender: Hashable, now_seconds: float) -> bool:
        """Take a token for ``sender``; False if it has none left, or all together have none."""
        bucket = self._buckets.pop(sender, None) or TokenBucket(*self._one)
        self._buckets[sender] = bucket
        if len(self._buckets) > self._limit:
            self._buckets.popitem(last=False)
        return bucket.take(now_seconds) and self._all.take(now_seconds)


class KindTeller:
    """Tells the first line of each kind, then for a second none of that kind.

    Args:
        tell: gets the lines, made printable and short: they quote what strangers sent.
        monotonic: clock in seconds.
    """

    def __init__(self, tell: Callable[[str], None], monotonic: Callable[[], float]) -> None:
        self._tell = tell
        self._monotonic = monotonic
        self._quiet_until: dict[str, float] = {}

    def say(self, kind: str, line: str) -> None:
        """Tell ``line`` unless one of its ``kind``, one of a few words, was told within the last second."""
        now_seconds = self._monotonic()
        if now_seconds < self._quiet_until.get(kind, now_seconds):
            return
        self._quiet_until[kind] = now_seconds + _TOLD_EVERY_SECONDS
        printable = "".join(c if c.isprintable() else "?" for c in line)
        self._tell(printable[:_LINE_CHARACTERS])
