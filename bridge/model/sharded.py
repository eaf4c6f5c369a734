"""Tables with very many rows."""

from collections.abc import Hashable, Iterator, MutableMapping, ValuesView
from itertools import chain
from typing import Generic, TypeVar, overload

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")

SHARDS = 64
_SHIFT = 40
"""The high bits of a hash choose the shard: a dict goes by the low ones, which must stay different inside a shard."""


class Sharded(MutableMapping[K, V], Generic[K, V]):
    """A dict that grows in small steps.

    A dict of 200,000 rows that is full copies itself at once, which takes 10 ms and more; ten tables with the same keys
    do so in the same moment. This one is made of many small dicts, each of which grows when it is full itself.

    Keys must have hashes that differ in all their bits, as those of texts, and of tuples and values of texts, do. A row
    costs a tenth of a microsecond more to find than in a dict. Rows come in no order.
    """

    __slots__ = ("_shards",)

    def __init__(self) -> None:
        self._shards: tuple[dict[K, V], ...] = tuple({} for _ in range(SHARDS))

    def __getitem__(self, key: K) -> V:
        return self._shards[hash(key) >> _SHIFT & 63][key]

    def __setitem__(self, key: K, value: V) -> None:
        self._shards[hash(key) >> _SHIFT & 63][key] = value

    def __delitem__(self, key: K) -> None:
        del self._shards[hash(key) >> _SHIFT & 63][key]

    def __contains__(self, key: object) -> bool:
        return key in self._shards[hash(key) >> _SHIFT & 63]

    def __len__(self) -> int:
        return sum([len(shard) for shard in self._shards])

    def __iter__(self) -> Iterator[K]:
        for shard in self._shards:
            yield from shard

    def values(self) -> ValuesView[V]:
        """The values, not sought one by one."""
        return _Values(self)

    def parts(self) -> Iterator[list[V]]:
        """All values in lists of a moderate length, each made when it is asked for.

        What is put in or taken out meanwhile may be among them or not.
        """
        return (list(shard.values()) for shard in self._shards if shard)

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V | D, /) -> V | D: ...
    def get(self, key: K, default: V | D | None = None, /) -> V | D | None:
        """The value of ``key``, or ``default``."""
        return self._shards[hash(key) >> _SHIFT & 63].get(key, default)

    @overload
    def pop(self, key: K, /) -> V: ...
    @overload
    def pop(self, key: K, default: V | D, /) -> V | D: ...
    def pop(self, key: K, /, *default: V | D) -> V | D:
        """Takes ``key`` out and returns its value; ``default`` where it is not there.

        Raises:
            KeyError: it is not there, and no default was given.
        """
        return self._shards[hash(key) >> _SHIFT & 63].pop(key, *default)

    def setdefault(self, key: K, default: V, /) -> V:
        """The value of ``key``, which is ``default`` from now on where it had none."""
        return self._shards[hash(key) >> _SHIFT & 63].setdefault(key, default)


class _Values(ValuesView[V]):
    """The values of a table."""

    __slots__ = ()
    _mapping: Sharded[object, V]

    def __iter__(self) -> Iterator[V]:
        return chain.from_iterable([shard.values() for shard in self._mapping._shards])  # noqa: SLF001 - its own table
