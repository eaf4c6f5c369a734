"""A server that lies, babbles or never ends: bounded, told as a state, and over as soon as it is."""

import itertools
import os
import random
from collections.abc import Iterator
from functools import partial

from bridge.model.capabilities import LinkState
from tests.kit.conformance.stage import Stage, asynchronous, pause, until

PIECE = 64 * 1024
FLOOD = 48 * 1024 * 1024
MUCH = 24 * 1024 * 1024
"""Bytes by which the process may grow while it is flooded with twice as much: what is kept is far less."""


def endless(unit: bytes, total: int = FLOOD) -> Iterator[bytes]:
    piece = (unit * (PIECE // len(unit) + 1))[:PIECE]
    return itertools.repeat(piece, total // PIECE)


def memory() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _more(stage: Stage, known: int) -> bool:
    return stage.proxy.connections > known


def noise() -> list[bytes]:
    rng = random.Random(5)
    return [rng.randbytes(2000), b"\x00" * 2000, b"\r\n" * 1000, b"\xff" * 2000, b"{" * 2000, b"<a>" * 1000, b"x" * 9]


@asynchronous
async def test_hostile_words_in_place_of_a_greeting(stage: Stage) -> None:
    words = [*stage.rig.hostile, *noise()]
    told = itertools.cycle(words)
    stage.proxy.instead = lambda: iter((next(told),))
    account = stage.sign_on(stage.rig.accounts[0])
    known = 0
    for word in words:
        await until(partial(_more, stage, known), "a connection")
        await pause(0.05)
        assert stage.network.states().get(account) is not LinkState.UP, word
        known = stage.proxy.connections
        stage.proxy.drop()
        await pause(0.05)  # it is seen; who tries once more at once is told the next word
        stage.network.sign_off(account)
        stage.sign_on(stage.rig.accounts[0])
    stage.proxy.instead = None
    stage.proxy.drop()
    await pause(0.05)
    stage.sign_on(stage.rig.accounts[0])
    await stage.state(account, LinkState.UP)


@asynchronous
async def test_hostile_words_in_a_session(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    for number, word in enumerate([*stage.rig.hostile, *noise()]):
        stage.proxy.inject(iter((word,)))
        await pause(0.05)
        stage.proxy.drop()
        stage.network.sign_off(account)
        since = len(stage.changes(account))
        stage.sign_on(stage.rig.accounts[0])
        await stage.state(account, LinkState.UP, since=since)
        if number % 6 == 0:
            await stage.said(account, outsider.name, f"still here {number}")
            await stage.reaches(outsider, f"still here {number}")


@asynchronous
async def test_a_flood_takes_no_memory_and_ends(stage: Stage) -> None:
    floods = [b"\x00", b"x", b"\x2a\x02\x00\x01\x00\x00", b'{"a":', b"<a>", b"a\r\n", *stage.rig.hostile[:2]]
    account = stage.normal(stage.rig.accounts[0].name)
    before = memory()
    for unit in floods:
        stage.proxy.instead = partial(endless, unit)
        known = stage.proxy.connections
        stage.sign_on(stage.rig.accounts[0])
        await until(partial(_more, stage, known), "a connection")
        await pause(0.3)
        assert memory() - before < MUCH, unit
        stage.network.sign_off(account)
        stage.proxy.drop()
    stage.proxy.instead = None
    since = len(stage.changes(account))
    stage.sign_on(stage.rig.accounts[0])
    await stage.state(account, LinkState.UP, since=since)
