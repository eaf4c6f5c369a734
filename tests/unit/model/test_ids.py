"""Event ids: UUIDs of version 7 that strictly increase."""

import random
import uuid
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.ids import EventIdMint, mint_time

NOON = 1_700_000_000.0
LATEST = 2**48 / 1000 - 10  # seconds: the last that 48 bits of milliseconds hold, and room to count on


def clock(times: Iterable[float]) -> Callable[[], float]:
    """A clock that says these times, then stands still."""
    rest = iter(times)
    last = [0.0]

    def now() -> float:
        last[0] = next(rest, last[0])
        return last[0]

    return now


def mint(*times: float, seed: int = 1) -> EventIdMint:
    return EventIdMint(clock(times), random.Random(seed).randbytes)


def test_an_id_is_a_uuid_of_version_7_and_holds_its_time() -> None:
    made = mint(NOON + 0.1239)()
    parsed = uuid.UUID(made)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert str(parsed) == made
    assert mint_time(made) == NOON + 0.123
    assert parsed.int >> 64 & 0xFFF == 0


def test_ids_of_one_millisecond_count_up() -> None:
    make = mint(NOON)
    assert [uuid.UUID(make()).int >> 64 & 0xFFF for _ in range(3)] == [0, 1, 2]


def test_more_ids_than_a_millisecond_holds_run_ahead_of_the_clock() -> None:
    make = mint(NOON)
    made = [make() for _ in range(4096 * 2 + 1)]
    assert made == sorted(set(made))
    assert [mint_time(made[at]) for at in (0, 4095, 4096, 8191, 8192)] == pytest.approx(
        [NOON, NOON, NOON + 0.001, NOON + 0.001, NOON + 0.002], abs=1e-4
    )


def test_a_clock_that_steps_back_does_not_reorder() -> None:
    make = mint(NOON, NOON - 3600, NOON - 3600, NOON + 1)
    made = [make() for _ in range(4)]
    assert made == sorted(set(made))
    assert [mint_time(one) for one in made] == [NOON, NOON, NOON, NOON + 1]


def test_chance_comes_from_where_it_is_said_to() -> None:
    asked: list[int] = []

    def entropy(count: int) -> bytes:
        asked.append(count)
        return bytes([0xFF]) * count

    make = EventIdMint(lambda: NOON, entropy)
    made = [make() for _ in range(513)]
    assert {one[19:] for one in made} == {"bfff-ffffffffffff"}
    assert asked == [4096, 4096]


def test_no_bits_of_chance_are_used_twice() -> None:
    make = mint(NOON)
    tails = [make()[20:] for _ in range(2000)]
    assert len(set(tails)) == len(tails)


@pytest.mark.parametrize("variant", range(16))
def test_the_variant_is_that_of_the_rfc_whatever_chance_says(variant: int) -> None:
    made = EventIdMint(lambda: NOON, lambda count: bytes([variant << 4]) * count)()
    assert uuid.UUID(made).variant == uuid.RFC_4122


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        str(uuid.UUID(int=0)),
        "018bcfe5-6800-4000-8000-000000000000",
        "018bcfe5-6800-7000-8000-0000000000",
        "z" * 12 + "7" * 20,
    ],
)
def test_what_is_no_event_id_has_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        mint_time(text)  # type: ignore[arg-type]


times = st.floats(min_value=0, max_value=LATEST, allow_nan=False)


@given(st.lists(times, min_size=2, max_size=50), st.integers())
def test_ids_strictly_increase_whatever_the_clock_says(clock_says: list[float], seed: int) -> None:
    make = mint(*clock_says, seed=seed)
    made = [make() for _ in clock_says]
    assert all(earlier < later for earlier, later in pairwise(made))
    assert len({len(one) for one in made}) == 1
    for one, at in zip(made, clock_says, strict=True):
        parsed = uuid.UUID(one)
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
        # never before the clock, and by the order of the bytes as by that of the text
        assert mint_time(one) >= int(at * 1000) / 1000
    assert [uuid.UUID(one).bytes for one in made] == sorted(uuid.UUID(one).bytes for one in made)


@given(times)
def test_the_time_of_an_id_is_that_of_its_minting_in_whole_milliseconds(at: float) -> None:
    assert mint_time(mint(at)()) == int(at * 1000) / 1000
