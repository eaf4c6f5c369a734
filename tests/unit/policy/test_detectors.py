"""Numbers that prove themselves. Examples are the published test numbers of their issuers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.detectors import VALIDATORS, luhn
from bridge.policy.language import Lexicon
from bridge.policy.matcher import Matcher

_MATCHERS = {name: Matcher([Lexicon(name="l", validators=(name,))]) for name in VALIDATORS}


def _parts(name: str, text: str) -> list[str]:
    hits = _MATCHERS[name].find(text, 1)
    assert bool(hits) <= bool(_MATCHERS[name].touches(text)), "the prefilter missed what the validator finds"
    return [text[hit.start : hit.end] for hit in hits]


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("payment-card", "card 4111111111111111 ok", "4111111111111111"),
        ("payment-card", "4111 1111 1111 1111", "4111 1111 1111 1111"),
        ("payment-card", "5555-5555-5555-4444.", "5555-5555-5555-4444"),
        ("payment-card", "378282246310005", "378282246310005"),
        ("payment-card", "6011111111111117", "6011111111111117"),
        ("payment-card", "2223003122003222", "2223003122003222"),
        ("payment-card", "3530111333300000", "3530111333300000"),
        ("payment-card", "30569309025904", "30569309025904"),
        ("payment-card", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
        ("payment-card", "order 12 4111 1111 1111 1111 on 3.4.", "4111 1111 1111 1111"),
        ("payment-card", "٤١١١ ١١١١ ١١١١ ١١١١", "٤١١١ ١١١١ ١١١١ ١١١١"),
        ("payment-card", "4111\u200b1111\u200b1111\u200b1111", "4111\u200b1111\u200b1111\u200b1111"),
        ("iban", "to DE89 3704 0044 0532 0130 00 please", "DE89 3704 0044 0532 0130 00"),
        ("iban", "gb29nwbk60161331926819", "gb29nwbk60161331926819"),
        ("iban", "FR14 2004 1010 0505 0001 3M02 606", "FR14 2004 1010 0505 0001 3M02 606"),
        ("iban", "NO9386011117947", "NO9386011117947"),
        ("us-ssn", "ssn 219-09-9999", "219-09-9999"),
        ("uk-nino", "AB 12 34 56 C", "AB 12 34 56 C"),
        ("fr-nir", "1 84 12 76 451 089 46", "1 84 12 76 451 089 46"),
        ("es-dni", "12345678Z", "12345678Z"),
        ("es-dni", "x1234567l", "x1234567l"),
        ("nl-bsn", "bsn 111222333", "111222333"),
        ("pl-pesel", "44051401359", "44051401359"),
    ],
)
def test_found(name: str, text: str, part: str) -> None:
    assert _parts(name, text) == [part]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("payment-card", "4111111111111112"),
        ("payment-card", "0000 0000 0000 0000"),
        ("payment-card", "41111111111111111111111111"),
        ("payment-card", "call 0033 1 23 45 67 89"),
        ("payment-card", "9111 1111 1111 1111"),
        ("iban", "DE88 3704 0044 0532 0130 00"),
        ("iban", "XX89 3704 0044 0532 0130 00"),
        ("iban", "DE89 3704 0044 0532 0130 001"),
        ("iban", "DE89"),
        ("us-ssn", "666-09-9999"),
        ("us-ssn", "900-09-9999"),
        ("us-ssn", "219-00-9999"),
        ("us-ssn", "219-09 9999"),
        ("uk-nino", "GB123456A"),
        ("fr-nir", "1 84 12 76 451 089 47"),
        ("es-dni", "12345678A"),
        ("nl-bsn", "111222334"),
        ("nl-bsn", "000000000"),
        ("pl-pesel", "44051401358"),
    ],
)
def test_not_found(name: str, text: str) -> None:
    assert _parts(name, text) == []


@given(st.integers(0, 10**18), st.integers(0, 9), st.integers(0, 17))
def test_luhn_finds_every_wrong_digit(number: int, wrong: int, place: int) -> None:
    body = f"{number:018}"
    digits = next(body + check for check in "0123456789" if luhn(body + check))
    changed = digits[:place] + str(wrong) + digits[place + 1 :]
    assert luhn(changed) == (changed == digits)


@given(st.text("0123456789 -.", max_size=300))
def test_long_runs_of_digits_stay_cheap_and_in_bounds(text: str) -> None:
    for validator in VALIDATORS.values():
        for start, end in validator.find(text):
            assert 0 <= start < end <= len(text)
