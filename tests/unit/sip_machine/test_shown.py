"""Documents that are kept without the address in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.sip.machine.lists import Watched
from transports.sip.machine.shown import _SHAPES, MAX_SHAPES, same, shape_of

ALICE, BOB = "sip:alice@example.test", "sip:bob@example.test"


def _document(address: str, note: str = "") -> bytes:
    return f'<presence entity="{address}"><contact>{address}</contact><note>{note}</note></presence>'.encode()


def test_documents_that_differ_in_the_address_alone_are_kept_once() -> None:
    alice, bob = shape_of(_document(ALICE), ALICE), shape_of(_document(BOB), BOB)
    assert alice is bob
    assert alice is not None
    assert alice.octets(ALICE) == _document(ALICE)
    assert alice.octets(BOB) == _document(BOB)


def test_another_state_is_another_shape() -> None:
    here, away = shape_of(_document(ALICE), ALICE), shape_of(_document(ALICE, "away"), ALICE)
    assert not same(here, away)
    assert not same(here, None)
    assert same(None, None)


def test_the_address_of_another_is_not_taken_for_ones_own() -> None:
    """Who is shown a document about somebody else, however it came to that, is shown that one."""
    watched = Watched("w", ALICE, "alice@example.test")
    watched.pidf = _document(BOB)
    assert watched.pidf == _document(BOB)


@pytest.mark.parametrize("address", ["", "sip:a", "sip:caf\u00e9@x", "sip:\udc80@x", "a", "<"])
@pytest.mark.parametrize("document", [b"", b"a", b"<a/>", b"\xff\x00sip:a", _document("sip:a")])
def test_a_document_comes_back_to_the_octet(address: str, document: bytes) -> None:
    shape = shape_of(document, address)
    assert shape is not None
    assert shape.octets(address) == document


@given(st.binary(max_size=64), st.text(alphabet="ab:\u00e9", max_size=3))
def test_any_document_comes_back(document: bytes, address: str) -> None:
    shape = shape_of(document, address)
    assert shape is not None
    assert shape.octets(address) == document


def test_a_flood_of_notes_does_not_make_the_table_grow() -> None:
    first = shape_of(_document(ALICE), ALICE)
    for number in range(3 * MAX_SHAPES):
        shape_of(_document(ALICE, f"note {number}"), ALICE)
    assert len(_SHAPES) <= MAX_SHAPES
    again = shape_of(_document(BOB), BOB)
    assert again is not first  # it was forgotten, and says the same all the same
    assert same(first, again)
