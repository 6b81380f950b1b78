"""Limits on how often something may be asked for: token buckets in memory, one per key (a person or an address).

Addresses stand nowhere else. The server is one process, so one set of buckets sees all requests.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

# buckets kept before the full ones are dropped
MANY = 10_000


@dataclass(frozen=True)
class Rate:
    """So many requests at once, and so many per second after that."""

    burst: float
    per_second: float


# a class room shares one address, so a valid link allows more than guessing does
RATES = {
    "join": Rate(10, 10 / 60),
    "join with invite": Rate(120, 120 / 60),
    "vote": Rate(8, 4),
    "image": Rate(60, 30),
    "login": Rate(5, 5 / 900),
    "problem": Rate(10, 10 / 60),
    "other": Rate(40, 10),
}


class Limits:
    """Token buckets.

    Attributes:
        on: False lets everything through.
    """

    def __init__(self, on: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with full buckets; `clock` gives seconds."""
        self.on = on
        self._clock, self._lock = clock, threading.Lock()
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def wait(self, kind: str, key: str) -> float:
        """Take one token of `kind` for `key`: 0 when there was one, else the seconds until there will be.

        >>> limits = Limits(clock=lambda: 0.0)
        >>> [limits.wait("login", "a") for _ in range(6)]
        [0.0, 0.0, 0.0, 0.0, 0.0, 180.0]
        """
        if not self.on:
            return 0.0
        rate, now = RATES[kind], self._clock()
        with self._lock:
            tokens, then = self._buckets.get((kind, key), (rate.burst, now))
            tokens = min(rate.burst, tokens + (now - then) * rate.per_second)
            # a rounding error must not keep somebody waiting for nothing
            allowed = tokens >= 1 - 1e-9
            self._buckets[kind, key] = (max(0.0, tokens - 1) if allowed else tokens, now)
            if len(self._buckets) > MANY:
                self._drop(now)
        return 0.0 if allowed else (1 - tokens) / rate.per_second

    def _drop(self, now: float) -> None:
        """Forget buckets that are full again."""
        full = [
            (kind, key)
            for (kind, key), (tokens, then) in self._buckets.items()
            if tokens + (now - then) * RATES[kind].per_second >= RATES[kind].burst
        ]
        for name in full:
            del self._buckets[name]


def address(request: "Request") -> str:
    """Address of the client, for limits only; kept nowhere. Of IPv6 the network: one household or server has 2^64."""
    host = request.client.host if request.client else "-"
    try:
        found = ip_address(host)
    except ValueError:
        return host
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
    return host
