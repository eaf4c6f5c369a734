"""Watches by what they look at: mostly one or two at each, and a thousand at some."""

from collections.abc import Hashable, Iterator
from typing import Generic, Protocol, TypeVar

from bridge.model.sharded import Sharded


class Named(Protocol):
    """What has an id."""

    id: str


K = TypeVar("K", bound=Hashable)
W = TypeVar("W", bound=Named)

FEW = 8
"""So many of one key are kept in a tuple, which takes a quarter of the room of a dict."""


class Watches(Generic[K, W]):
    """Watches by key, those of one key in the order in which they came."""

    __slots__ = ("_table",)

    def __init__(self) -> None:
        self._table: Sharded[K, tuple[W, ...] | dict[str, W]] = Sharded()

    def of(self, key: K) -> tuple[W, ...]:
        """Returns the watches of a key."""
        found = self._table.get(key, ())
        return found if isinstance(found, tuple) else tuple(found.values())

    def __iter__(self) -> Iterator[K]:
        return iter(self._table)

    def first(self, key: K) -> W | None:
        """Returns the watch of a key that came first; None where there is none."""
        found = self._table.get(key, ())
        return next(iter(found if isinstance(found, tuple) else found.values()), None)

    def add(self, key: K, watch: W) -> None:
        """Takes up a watch whose id is new."""
        found = self._table.get(key, ())
        if not isinstance(found, tuple):
            found[watch.id] = watch
        elif len(found) < FEW:
            self._table[key] = (*found, watch)
        else:
            self._table[key] = {one.id: one for one in (*found, watch)}

    def remove(self, key: K, watch: W) -> bool:
        """Forgets a watch. Returns whether it was the last one of its key."""
        found = self._table.get(key, ())
        if isinstance(found, tuple):
            left: tuple[W, ...] | dict[str, W] = tuple(one for one in found if one is not watch)
            self._table[key] = left
        else:
            found.pop(watch.id, None)
            left = found
        if not left:
            self._table.pop(key, None)
        return not left
