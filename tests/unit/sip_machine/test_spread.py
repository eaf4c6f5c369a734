"""What began in one second does not come back in one second."""

from random import Random

import pytest

from transports.sip.machine.spread import EARLIEST, LATEST, LONGER, pause_for, refresh_after


@pytest.mark.parametrize(("bits", "part"), [(b"\0", EARLIEST), (b"\xff", LATEST)])
def test_a_refresh_comes_before_the_end(bits: bytes, part: float) -> None:
    assert refresh_after(3600.0, lambda count: bits * count) == pytest.approx(3600.0 * part)
    assert refresh_after(0.5, lambda count: bits * count) == 1.0


@pytest.mark.parametrize(("bits", "more"), [(b"\0", 0.0), (b"\xff", LONGER)])
def test_a_pause_is_never_shorter_than_was_asked_for(bits: bytes, more: float) -> None:
    assert pause_for(60.0, lambda count: bits * count) == pytest.approx(60.0 * (1 + more))


def test_ten_thousand_are_spread_over_the_minutes() -> None:
    entropy = Random(1).randbytes
    seconds: dict[int, int] = {}
    for _ in range(10_000):
        at = int(refresh_after(3600.0, entropy))
        seconds[at] = seconds.get(at, 0) + 1
    assert max(seconds.values()) < 100
