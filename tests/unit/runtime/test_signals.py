"""Signals are remembered until somebody attends to them; each wakes whoever does."""

import os
import signal
from collections.abc import Iterator

import pytest

from bridge.runtime.signals import Signals

NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture
def signals() -> Iterator[Signals]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    made = Signals()
    made.install()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


def raised(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_remembered_and_wakes_who_attends_later(signals: Signals, number: signal.Signals) -> None:
    raised(number)
    woken: list[bool] = []
    signals.attend(lambda: woken.append(signals.stop_asked))
    assert woken == [True]
    raised(number)
    assert woken == [True, True]
    assert signals.stop_asked


def test_reloads_before_the_first_is_done_are_one(signals: Signals) -> None:
    assert not signals.take_reload()
    raised(signal.SIGHUP)
    raised(signal.SIGHUP)
    woken: list[None] = []
    signals.attend(lambda: woken.append(None))
    assert woken == [None]
    assert signals.take_reload()
    assert not signals.take_reload()
    assert not signals.stop_asked


def test_nobody_is_woken_for_nothing(signals: Signals) -> None:
    signals.attend(lambda: pytest.fail("nothing was asked"))
