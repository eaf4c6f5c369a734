"""Validators: numbers that prove themselves by a check digit, or by a closed form.

A validator looks at a text in plain form (ASCII digits, no invisible characters). Its ``prefilter`` is a RE2 pattern
that every match satisfies; it rides in the one set scan of the snapshot, so a text without candidates costs nothing.
Time is linear in the text: windows are bounded by the longest number of a kind.
"""

import re
from collections.abc import Callable, Iterator

import attrs

Span = tuple[int, int]


@attrs.frozen(kw_only=True)
class Validator:
    """A named detector. ``find`` yields the spans of proven numbers in a plain text."""

    name: str
    prefilter: str
    find: Callable[[str], Iterator[Span]]


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1: the sum of the digits, every second one from the right doubled, is a multiple of ten."""
    total = 0
    for index, digit in enumerate(map(int, reversed(digits))):
        value = digit * 2 if index % 2 else digit
        total += value - 9 if value > 9 else value
    return total % 10 == 0


# Leading digits and lengths that the networks issue.
_CARD = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|6(?:011|4[4-9]\d|5\d\d|[23]\d\d)\d{12,15}"
    r"|(?:50|5[6-9]|6\d)\d{10,17}"
)
_DIGIT_RUN = re.compile(r"\d(?:[ .\-/]{0,2}\d)*")
_DIGITS = re.compile(r"\d+")
_CARD_LENGTHS = range(12, 20)


def _windows(match: re.Match[str], lengths: range) -> Iterator[tuple[str, Span]]:
    """Stretches of the run that begin and end with a group of digits, with their digits alone, longest first."""
    groups = [(found.start(), found.end()) for found in _DIGITS.finditer(match.string, *match.span())]
    for first in range(len(groups)):
        digits = ""
        kept: list[tuple[str, Span]] = []
        for start, end in groups[first : first + lengths.stop]:
            digits += match.string[start:end]
            if len(digits) >= lengths.stop:
                break
            if len(digits) >= lengths.start:
                kept.append((digits, (groups[first][0], end)))
        yield from reversed(kept)


def _payment_cards(text: str) -> Iterator[Span]:
    for run in _DIGIT_RUN.finditer(text):
        past = -1
        for digits, span in _windows(run, _CARD_LENGTHS):
            if span[0] >= past and _CARD.fullmatch(digits) and luhn(digits) and digits.strip(digits[0]):
                past = span[1]
                yield span


# ISO 13616 registry: the length of an IBAN by country.
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24,
    "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24,
    "XK": 20,
}  # fmt: skip
_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[ -]?\d[ -]?\d")


def _ibans(text: str) -> Iterator[Span]:
    for start in _IBAN_START.finditer(text):
        span = _iban_from(text, start.start())
        if span:
            yield span


def _iban_from(text: str, start: int) -> Span | None:
    wanted = _IBAN_LENGTHS.get(text[start : start + 2].upper())
    if wanted is None:
        return None
    letters = ""
    at = start
    while at < len(text) and len(letters) < wanted:
        character = text[at]
        if character.isascii() and character.isalnum():
            letters += character.upper()
        elif character not in " -":
            return None
        at += 1
    if len(letters) < wanted or (at < len(text) and text[at].isascii() and text[at].isalnum()):
        return None
    number = "".join(str(int(letter, 36)) for letter in letters[4:] + letters[:4])
    return (start, at) if int(number) % 97 == 1 else None


def _checked(pattern: str, check: Callable[[str], bool]) -> Callable[[str], Iterator[Span]]:
    """Spans of ``pattern`` whose letters and digits alone pass ``check``."""
    compiled = re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", re.ASCII)

    def find(text: str) -> Iterator[Span]:
        for match in compiled.finditer(text):
            if check("".join(filter(str.isalnum, match.group())).upper()):
                yield match.span()

    return find


def _us_ssn(number: str) -> bool:
    """Social Security Administration: no area 000, 666 or 9xx, no group 00, no serial 0000."""
    area = number[:3]
    return area not in {"000", "666"} and area[0] != "9" and number[3:5] != "00" and number[5:] != "0000"


_NINO_NEVER = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})


def _uk_nino(number: str) -> bool:
    """HM Revenue & Customs, NIM39110: letters and prefixes that are never issued."""
    return number[:2] not in _NINO_NEVER and number[0] not in "DFIQUV" and number[1] not in "DFIOQUV"


def _fr_nir(number: str) -> bool:
    """INSEE: the key is 97 minus the rest of the first 13 digits, with 2A and 2B of Corsica as 19 and 18."""
    body = number[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and 97 - int(body) % 97 == int(number[13:])


def _es_dni(number: str) -> bool:
    """Real Decreto 1553/2005: the letter is the number's rest by 23; X, Y, Z of a NIE stand for 0, 1, 2."""
    digits = number[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == number[-1]


def _nl_bsn(number: str) -> bool:
    """Logisch ontwerp BSN: the weighted sum 9..2 less the last digit is a multiple of eleven."""
    total = sum(weight * int(digit) for weight, digit in zip(range(9, 1, -1), number, strict=False)) - int(number[8])
    return total % 11 == 0 and number.strip("0") != ""


def _pl_pesel(number: str) -> bool:
    """Ustawa o ewidencji ludności: weights 1, 3, 7, 9 make a multiple of ten with the last digit."""
    total = sum(weight * int(digit) for weight, digit in zip((1, 3, 7, 9) * 3, number, strict=False))
    return (total - int(number[10]) * 7 + int(number[10])) % 10 == 0 and 0 < int(number[4:6]) <= 31


_ALL = (
    Validator(name="payment-card", prefilter=r"\d(?:[ .\-/]{0,2}\d){11}", find=_payment_cards),
    Validator(name="iban", prefilter=r"\b[A-Za-z]{2}[ -]?\d[ -]?\d[ -]?[A-Za-z0-9]", find=_ibans),
    Validator(
        name="us-ssn",
        prefilter=r"\b\d{3}[ -]\d{2}[ -]\d{4}\b",
        find=_checked(r"\d{3}([ -])\d{2}\1\d{4}", _us_ssn),
    ),
    Validator(
        name="uk-nino",
        prefilter=r"(?i)\b[a-z]{2} ?\d\d ?\d\d ?\d\d ?[a-d]\b",
        find=_checked(r"[A-Za-z]{2} ?\d\d ?\d\d ?\d\d ?[A-Da-d]", _uk_nino),
    ),
    Validator(
        name="fr-nir",
        prefilter=r"\b[1278] ?\d\d ?\d\d ?\d",
        find=_checked(r"[1278] ?\d\d ?\d\d ?\d[\dABab] ?\d{3} ?\d{3} ?\d\d", _fr_nir),
    ),
    Validator(
        name="es-dni",
        prefilter=r"(?i)\b[\dxyz]\d{7}-?[a-z]\b",
        find=_checked(r"[\dXYZxyz]\d{7}-?[A-Za-z]", _es_dni),
    ),
    Validator(name="nl-bsn", prefilter=r"\b\d{9}\b", find=_checked(r"\d{9}", _nl_bsn)),
    Validator(name="pl-pesel", prefilter=r"\b\d{11}\b", find=_checked(r"\d{11}", _pl_pesel)),
)

VALIDATORS = {validator.name: validator for validator in _ALL}
"""Each validator by the name that a policy gives."""
