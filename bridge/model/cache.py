"""A bounded cache that forgets in halves."""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

FREED = 4
"""Entries that are freed for each one that is put in."""


class TwoGenerationCache(Generic[K, V]):
    """Keeps at most ``limit`` entries: when the young half is full, the old one is dropped whole.

    What is used moves to the young half, so a flood of keys that are seen once does not push out those in use for
    more than one turn, and no entry costs bookkeeping. What is dropped is freed bit by bit, by what is put in after it:
    to free tens of thousands of entries at once would stop everything for that long.
    """

    __slots__ = ("_half", "_leaving", "_old", "_young", "turns")

    def __init__(self, limit: int) -> None:
        if limit < 2:
            raise ValueError(f"a cache of {limit} entries cannot be halved")
        self._half = limit // 2
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._leaving: list[dict[K, V]] = []
        self.turns = 0
        """How often something was dropped: who counts on what is here looks whether that is so."""

    def get(self, key: K) -> V | None:
        """The value of ``key``, or None."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def peek(self, key: K) -> V | None:
        """The value of ``key``, or None; it does not count as used by that."""
        value = self._young.get(key)
        return self._old.get(key) if value is None else value

    def put(self, key: K, value: V) -> None:
        """Keeps ``value`` for ``key``."""
        if self._leaving:
            self._free()
        if len(self._young) >= self._half:
            self.turn()
        self._young[key] = value

    def turn(self) -> None:
        """Drops what was not used since the last turn."""
        self._leaving.append(self._old)
        self._old = self._young
        self._young = {}
        self.turns += 1

    def clear(self) -> None:
        """Forgets all."""
        self._leaving += [self._old, self._young]
        self._old, self._young = {}, {}
        self.turns += 1

    def _free(self) -> None:
        last = self._leaving[-1]
        for _ in range(min(FREED, len(last))):
            last.popitem()
        if not last:
            self._leaving.pop()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
