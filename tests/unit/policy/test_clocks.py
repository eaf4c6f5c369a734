"""Hours by the clock on the wall: zones, midnight, changes of clocks."""

from datetime import datetime

import pytest

from bridge.policy.clocks import zone_problem
from tests.unit.policy.builders import HEAD, load, rule, subject


def _holds(hours: str, at: str, clock: str = "") -> bool:
    head = HEAD + (f'digest_clock = "{clock}"\n' if clock else "")
    snapshot = load(head + rule("r", "allow", f"hours = {hours}"))
    return snapshot.decide(subject(at=datetime.fromisoformat(at))).effect == "allow"


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        ("{}", "2026-11-22T03:00:00Z", True),
        ('{ days = "mon-fri" }', "2026-11-22T23:59:59Z", False),
        ('{ days = "mon-fri" }', "2026-11-23T00:00:00Z", True),
        ('{ days = "mon-fri" }', "2026-11-27T23:59:59Z", True),
        ('{ days = "mon-fri" }', "2026-11-28T00:00:00Z", False),
        ('{ days = "sat-mon" }', "2026-11-23T12:00:00Z", True),
        ('{ days = "sat-mon" }', "2026-11-24T12:00:00Z", False),
        ('{ days = "tue, Thu" }', "2026-11-24T12:00:00Z", True),
        ('{ days = ["wed", "thu-fri"] }', "2026-11-24T12:00:00Z", False),
        ('{ from = "08:00", to = "18:00" }', "2026-11-23T07:59:59Z", False),
        ('{ from = "08:00", to = "18:00" }', "2026-11-23T08:00:00Z", True),
        ('{ from = "08:00", to = "18:00" }', "2026-11-23T17:59:59Z", True),
        ('{ from = "08:00", to = "18:00" }', "2026-11-23T18:00:00Z", False),
        ('{ from = "08:00", to = "24:00" }', "2026-11-23T23:59:59Z", True),
        ('{ from = "22:00", to = "06:00" }', "2026-11-23T23:00:00Z", True),
        ('{ from = "22:00", to = "06:00" }', "2026-11-23T05:59:00Z", True),
        ('{ from = "22:00", to = "06:00" }', "2026-11-23T06:00:00Z", False),
        # Over midnight, the day is that on which the stretch begins: Friday night lasts into Saturday.
        ('{ days = "fri", from = "22:00", to = "06:00" }', "2026-11-28T05:00:00Z", True),
        ('{ days = "fri", from = "22:00", to = "06:00" }', "2026-11-27T05:00:00Z", False),
        ('{ days = "sun", from = "22:00", to = "06:00" }', "2026-11-30T05:00:00Z", True),
        ('[{ days = "mon", to = "12:00" }, { days = "tue" }]', "2026-11-24T13:00:00Z", True),
        ('[{ days = "mon", to = "12:00" }, { days = "tue" }]', "2026-11-23T13:00:00Z", False),
    ],
)
def test_hours_in_utc(hours: str, at: str, expected: bool) -> None:
    assert _holds(hours, at) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-28T07:30:00Z", True),  # the day before summer time: 08:30 in Paris
        ("2026-03-28T06:30:00Z", False),
        ("2026-03-29T06:30:00Z", True),  # summer time: 08:30
        ("2026-03-29T05:30:00Z", False),
    ],
)
def test_the_wall_clock_moves_with_summer_time(at: str, expected: bool) -> None:
    assert _holds('{ from = "08:00", to = "18:00", zone = "Europe/Paris" }', at) is expected
    assert _holds('{ from = "08:00", to = "18:00" }', at, clock="Europe/Paris") is expected


def test_an_hour_that_is_repeated_counts_twice_and_one_that_is_skipped_never() -> None:
    repeated = '{ from = "02:00", to = "03:00", zone = "Europe/Paris" }'
    assert [_holds(repeated, f"2026-10-25T0{hour}:30:00Z") for hour in (0, 1, 2)] == [True, True, False]
    assert [_holds(repeated, f"2026-03-29T0{hour}:30:00Z") for hour in (0, 1)] == [False, False]


def test_zones_with_odd_offsets() -> None:
    assert _holds('{ from = "12:00", to = "12:15", zone = "Asia/Kathmandu" }', "2026-11-23T06:20:00Z")
    assert not _holds('{ from = "12:00", to = "12:15", zone = "Asia/Kathmandu" }', "2026-11-23T06:31:00Z")


@pytest.mark.parametrize("name", ["a." * 5000, "/" * 200, "Europe/Paris\0", "", "x" * 65])
def test_no_zone_at_all(name: str) -> None:
    assert zone_problem(name) is not None
