"""Leaves are RFC 8785 to the byte; pseudonyms are stable within a period and tell nothing beyond it."""

import json
import math
from typing import Any

import orjson
import pytest
import rfc8785
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bridge.compliance import record
from bridge.compliance.errors import CodecError, UnrecordableError
from bridge.compliance.leaf import (
    SAFE_INTEGER,
    DecisionLeaves,
    OutcomeLeaves,
    Pseudonyms,
    canonical,
    check_free_fields,
    microseconds,
    parse,
    plain_name,
)
from bridge.model.address import Address
from bridge.model.ids import EventId, PersonId, RemoteUserId
from tests.unit.compliance.samples import AIM, ALICE, BOOGYMAN, event_id, message

keys = st.text(st.characters(max_codepoint=127), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-SAFE_INTEGER, SAFE_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=10
)


@given(st.dictionaries(keys, values, max_size=8))
def test_what_is_let_into_a_leaf_is_written_as_rfc_8785_says(fields: dict[str, Any]) -> None:
    check_free_fields(fields)
    assert canonical(fields) == rfc8785.dumps(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"é": 1},
        {"a": 0.5},
        {"a": math.nan},
        {"a": SAFE_INTEGER + 1},
        {"a": b"x"},
        {"a": [{"b": [1.0]}]},
        {"a": {"ü": 1}},
    ],
)
def test_what_other_implementations_would_write_otherwise_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(UnrecordableError):
        check_free_fields(fields)


def test_a_leaf_is_at_most_an_entry_of_the_log() -> None:
    canonical({"a": "x" * 65_527})
    with pytest.raises(UnrecordableError, match="65536 bytes"):
        canonical({"a": "x" * 65_528})
    with pytest.raises(UnrecordableError):
        canonical({"a": "\ud800"})


def test_times() -> None:
    assert microseconds(1_795_444_200.25) == 1_795_444_200_250_000
    for moment in (math.nan, math.inf, 1e11):
        with pytest.raises(UnrecordableError):
            microseconds(moment)


def test_parsing_is_strict() -> None:
    good = {"v": 1, "log_id": "x", "seq": 0, "event": "start", "t_intake": 5}
    assert parse(canonical(good)) == good
    spaced = orjson.dumps(good, option=orjson.OPT_INDENT_2)
    for bad in (
        spaced,
        b"[]",
        b"{",
        b"\xff",
        canonical({**good, "v": 2}),
        canonical({**good, "seq": True}),
        canonical({"v": 1}),
    ):
        with pytest.raises(CodecError):
            parse(bad)


def test_pseudonyms() -> None:
    november, december = Pseudonyms(b"k" * 32, "2026-11"), Pseudonyms(b"l" * 32, "2026-12")
    assert november.of(ALICE) == november.of_person("alice@corp.example") != december.of(ALICE)
    elsewhere = evolve(ALICE, address=Address(network=AIM, user=RemoteUserId("alice1")), display_name="A.")
    assert november.of(elsewhere) == november.of(ALICE)
    assert november.of(BOOGYMAN) == november.of(BOOGYMAN.address)
    assert november.of(BOOGYMAN) != november.of(evolve(BOOGYMAN, person=PersonId("theboogyman")))
    assert november.of_conversation(message().conversation) not in {november.of(ALICE), november.of(BOOGYMAN)}
    assert len(november.of(ALICE)) == 32
    with pytest.raises(UnrecordableError):
        november.of(Address(network=AIM, user=RemoteUserId("\udc80")))


def test_the_cache_of_pseudonyms_is_bounded() -> None:
    names = Pseudonyms(b"k" * 32, "2026-11")
    first = names.of_person("0")
    for number in range(70_000):
        names.of_person(str(number))
    assert len(names._cache) <= 1 << 16
    assert names.of_person("0") == first


rules = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=2)


@given(rules, rules, st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.integers(0, 2**40))
def test_decisions_from_pieces_are_what_the_canonical_form_is(
    matched: list[str], shadow: list[str], odd: str, number: int
) -> None:
    leaves = DecisionLeaves("corp.example/log")
    for msg_id in (event_id(number), odd):
        draft = record.decision(
            EventId(msg_id),
            effect="allow",
            deciding=odd,
            matched=matched,
            reason_code="rule",
            policy_digest="5e" * 32,
            would_have=shadow,
        )
        assert draft.form is not None
        whole = {
            **draft.fields,
            "v": 1,
            "log_id": "corp.example/log",
            "event": "decision",
            "msg_id": msg_id,
            "parent_leaf": number,
            "seq": number + 1,
            "t_intake": 5,
        }
        assert leaves.leaf(draft.form, draft.fields, msg_id, number, number + 1, 5) == canonical(whole)


@given(st.integers(0, 2**40), st.sampled_from(sorted(record.OUTCOMES)), st.booleans())
def test_outcomes_from_pieces_are_what_the_canonical_form_is(number: int, code: str, twice: bool) -> None:
    pid = f"{number:032x}"
    fields = {
        "v": 1,
        "log_id": "corp.example/l\u00f6g",
        "event": "outcome",
        "msg_id": event_id(number),
        "outcome": [{"pid": pid, "code": code, "maybe_duplicate": True} if twice else {"pid": pid, "code": code}],
        "parent_leaf": number,
        "period": "2026-11",
        "seq": number + 2,
        "t_intake": 7,
    }
    made = OutcomeLeaves("corp.example/l\u00f6g").leaf(
        pid, code, event_id(number), number, "2026-11", number + 2, 7, twice=twice
    )
    assert made == canonical(fields)


@pytest.mark.parametrize("name", ["", "0192f0a1-0000-7000-8000-0000000000ff", 'a"b', "a\\b", "\u00e9", "a b"])
def test_a_plain_name_needs_no_escape(name: str) -> None:
    assert plain_name(name) == (json.dumps(name) == f'"{name}"' and " " not in name)


def test_the_forms_of_decisions_are_bounded() -> None:
    leaves = DecisionLeaves("corp.example/log")
    for number in range(5000):
        leaves.leaf((number,), {"deciding": str(number)}, "m", 0, 1, 2)
    assert len(leaves._pieces) <= 4096
    with pytest.raises(UnrecordableError, match="bytes"):
        leaves.leaf(("long",), {"deciding": "x" * 65_500}, "m", 0, 1, 2)
