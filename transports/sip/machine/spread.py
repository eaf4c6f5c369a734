"""Times that are spread: what began in one second, such as at a start, must not come back in one second for ever."""

from __future__ import annotations

from transports.sip.machine.ports import Entropy

EARLIEST, LATEST = 0.7, 0.9
"""The part of a lifetime after which it is refreshed lies between these."""
LONGER = 0.25
"""A pause takes up to so much of itself longer."""


def refresh_after(lifetime: float, entropy: Entropy) -> float:
    """Returns after how many seconds something that lives for ``lifetime`` is to be refreshed; a second at least."""
    return max(lifetime * (EARLIEST + (LATEST - EARLIEST) * _chance(entropy)), 1.0)


def pause_for(seconds: float, entropy: Entropy) -> float:
    """Returns for how long to wait before another try, where a server that is back may have many waiting for it."""
    return seconds * (1.0 + LONGER * _chance(entropy))


def _chance(entropy: Entropy) -> float:
    return int.from_bytes(entropy(2), "big") / 0xFFFF
