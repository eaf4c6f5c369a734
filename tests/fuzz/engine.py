"""A small mutational engine: no coverage, no compiler, the same run again from the same seed.

It knows the format only by its seeds: pieces of them are its dictionary, and two of them are spliced. What it makes is
kept for a while as the ground of further changes, so that changes pile up.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

from attrs import define, field

MAX_BYTES: Final = 64 * 1024
"""The longest input: what is longer is a matter of the limits, which have tests of their own."""
POOL: Final = 256
"""How many changed inputs are kept as the ground of further ones."""
_POOL_BYTES: Final = 8 * 1024
"""Longer ones are not kept: what grows of them is slow, and new in nothing but its length."""
_TOKENS: Final = 512
_TOKEN = re.compile(rb"[A-Za-z0-9_.+-]{1,40}|[^A-Za-z0-9_.+-]{1,4}")
_ALWAYS: Final = (
    b"\x00", b"\xff", b"\x7f", b"\x80", b"\r\n", b"\n", b"\r", b" ", b"\t", b'"', b"\\", b"<", b">", b"%", b"%00",
    b"%zz", b"-1", b"0", b"65536", b"4294967296", b"9" * 20, b"\xff\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00",
    b"\x7f\xff\xff\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf0\x9f\x98\x80", b"\xe2\x80\xae", b"\xef\xbb\xbf",
)  # fmt: skip
"""What breaks decoders whatever the format: ends of lines, quotes, numbers at the edge, text that is not UTF-8."""


def dictionary(seeds: Sequence[bytes], rng: Random) -> list[bytes]:
    """Returns pieces of the seeds, bounded in number, and what is always worth a try."""
    found = {token for seed in seeds for token in _TOKEN.findall(seed[:MAX_BYTES])}
    tokens = sorted(found)
    if len(tokens) > _TOKENS:
        tokens = rng.sample(tokens, _TOKENS)
    return [*tokens, *_ALWAYS]


@define
class Mutator:
    """Makes inputs of the seeds.

    Args:
        seeds: examples of the format; at least one.
        rng: the randomness, which alone decides what is made.
    """

    seeds: Sequence[bytes]
    rng: Random
    _tokens: list[bytes] = field(init=False)
    _pool: list[bytes] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self._tokens = dictionary(self.seeds, self.rng)

    def inputs(self) -> Iterator[bytes]:
        """Yields each seed as it is, then changes of them without end."""
        yield from self.seeds
        while True:
            yield self.next()

    def next(self) -> bytes:
        """Returns one changed input."""
        rng = self.rng
        data = bytearray(self._ground())
        for _ in range(1 + min(int(rng.expovariate(0.5)), 12)):
            rng.choice(_CHANGES)(self, data)
        made = bytes(data[:MAX_BYTES])
        if len(made) <= _POOL_BYTES and rng.random() < 0.2:
            self._keep(made)
        return made

    def _ground(self) -> bytes:
        if self._pool and self.rng.random() < 0.5:
            return self.rng.choice(self._pool)
        return self.rng.choice(self.seeds)

    def _keep(self, made: bytes) -> None:
        if len(self._pool) < POOL:
            self._pool.append(made)
        else:
            self._pool[self.rng.randrange(POOL)] = made

    def _span(self, data: bytearray, most: int = 64) -> tuple[int, int]:
        start = self.rng.randint(0, len(data))
        return start, min(len(data), start + self.rng.randint(1, most))

    def flip_bit(self, data: bytearray) -> None:
        """Flips one bit."""
        if data:
            data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)

    def set_byte(self, data: bytearray) -> None:
        """Sets one byte."""
        if data:
            data[self.rng.randrange(len(data))] = self.rng.randrange(256)

    def insert_bytes(self, data: bytearray) -> None:
        """Inserts a few random bytes."""
        at = self.rng.randint(0, len(data))
        data[at:at] = self.rng.randbytes(self.rng.randint(1, 8))

    def delete(self, data: bytearray) -> None:
        """Deletes a piece."""
        start, end = self._span(data)
        del data[start:end]

    def insert_token(self, data: bytearray) -> None:
        """Inserts a piece of the dictionary."""
        at = self.rng.randint(0, len(data))
        data[at:at] = self.rng.choice(self._tokens)

    def replace_token(self, data: bytearray) -> None:
        """Puts a piece of the dictionary in the place of a piece."""
        start, end = self._span(data, 16)
        data[start:end] = self.rng.choice(self._tokens)

    def splice(self, data: bytearray) -> None:
        """Goes on with the end of another input."""
        other = self._ground()
        at, cut = self.rng.randint(0, len(data)), self.rng.randint(0, len(other))
        data[at:] = other[cut:]

    def repeat(self, data: bytearray) -> None:
        """Repeats a piece, sometimes very often."""
        start, end = self._span(data, 32)
        times = self.rng.choice((2, 2, 3, 8, 64, 1000))
        piece = bytes(data[start:end]) * times
        data[start:start] = piece[: max(0, MAX_BYTES - len(data))]

    def move(self, data: bytearray) -> None:
        """Moves a piece."""
        start, end = self._span(data)
        piece = bytes(data[start:end])
        del data[start:end]
        at = self.rng.randint(0, len(data))
        data[at:at] = piece

    def truncate(self, data: bytearray) -> None:
        """Cuts the end off."""
        del data[self.rng.randint(0, len(data)) :]


_CHANGES: Final[tuple[Callable[[Mutator, bytearray], None], ...]] = (
    Mutator.flip_bit,
    Mutator.flip_bit,
    Mutator.set_byte,
    Mutator.insert_bytes,
    Mutator.delete,
    Mutator.insert_token,
    Mutator.insert_token,
    Mutator.replace_token,
    Mutator.replace_token,
    Mutator.splice,
    Mutator.repeat,
    Mutator.move,
    Mutator.truncate,
)


class TooSlowError(Exception):
    """An input took longer than it may."""


def drive(
    one: Callable[[bytes], None],
    mutator: Mutator,
    *,
    seconds: float,
    limit: float,
    about_to: Callable[[bytes], None],
    clock: Callable[[], float] = time.monotonic,
    cpu: Callable[[], float] = time.process_time,
) -> int:
    """Feeds a target until its time is over; whatever it raises comes through. Returns how many inputs it took.

    Args:
        one: the target.
        mutator: makes the inputs; all seeds are fed, however short the time.
        seconds: how long.
        limit: seconds of CPU that one input may take.
        about_to: told each input before it is fed, so that it is known when the process dies of it.
        clock: seconds that never go back.
        cpu: seconds of CPU of this process: a busy machine makes no input slow.

    Raises:
        TooSlowError: an input took longer than ``limit``.
    """
    end = clock() + seconds
    count = 0
    for data in mutator.inputs():
        if count >= len(mutator.seeds) and clock() >= end:
            break
        about_to(data)
        start = cpu()
        one(data)
        took = cpu() - start
        if took > limit:
            raise TooSlowError(f"{len(data)} bytes took {took:.2f} s, {limit:g} s are allowed")
        count += 1
    return count
