"""A bounded cache that forgets in halves."""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class TwoGenerationCache(Generic[K, V]):
    """Keeps at most ``limit`` entries: when the young half is full, the old one is dropped whole.

    What is used moves to the young half, so a flood of keys that are seen once does not push out those in use for
    more than one turn, and no entry costs bookkeeping.
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, limit: int) -> None:
        if limit < 2:
            raise ValueError(f"a cache of {limit} entries cannot be halved")
        self._half = limit // 2
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value of ``key``, or None."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Keeps ``value`` for ``key``."""
        if len(self._young) >= self._half:
            self._old = self._young
            self._young = {}
        self._young[key] = value

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
