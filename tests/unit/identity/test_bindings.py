"""Facts with two times."""

import pytest
from attrs import evolve

from bridge.identity.bindings import (
    MAX_NAME,
    NO_REVISION,
    Fact,
    NameKey,
    Revision,
    assign,
    current,
    holder,
    name_key,
    release,
)
from bridge.identity.errors import NameRefused, NameTaken, NotBound, TimeRefused
from bridge.model.ids import NetworkId, PersonId, RemoteUserId
from tests.unit.identity.given import AIM, ALICE, BOB, MSN, normal_name

KEY = NameKey(AIM, RemoteUserId("boogy"))


def fact(
    person: PersonId, valid_from: float, valid_to: float | None = None, since: int = 1, to: int | None = None
) -> Fact:
    return Fact(
        person=person,
        network=AIM,
        name=KEY.name,
        shown="Boogy",
        valid_from=valid_from,
        valid_to=valid_to,
        recorded_from=since,
        recorded_to=to,
    )


def test_names_in_all_spellings_are_one() -> None:
    spellings = ("The Boogy Man", "theboogyman", " THEBOOGYMAN")
    assert {name_key("aim", name, normal_name) for name in spellings} == {NameKey(AIM, RemoteUserId("theboogyman"))}
    assert str(KEY) == "aim/boogy"


@pytest.mark.parametrize(
    ("network", "name", "why"),
    [
        ("sip", "alice", "corporate side"),
        ("aim", " ", "empty"),
        ("aim", "a\nb", "printable"),
        ("aim", "x" * (MAX_NAME + 1), "at most"),
        ("msn", "bob", "a name on msn is an address"),
        ("icq", "1", "there is no network icq"),
    ],
)
def test_what_is_no_name_is_refused(network: str, name: str, why: str) -> None:
    with pytest.raises(NameRefused) as caught:
        name_key(network, name, normal_name)
    assert why in str(caught.value)


def test_a_name_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(NameRefused, match="nothing of the name"):
        name_key(MSN, "x", lambda _network, _name: "")


def test_a_span_holds_its_beginning_and_not_its_end() -> None:
    span = fact(ALICE, 10, 20)
    assert [span.valid_at(at) for at in (9.9, 10, 19.9, 20)] == [False, True, True, False]
    assert fact(ALICE, 10).valid_at(1e12)


def test_belief_begins_and_ends_with_versions() -> None:
    seen = fact(ALICE, 10, since=3, to=5)
    assert [seen.believed_at(version) for version in (2, 3, 4, 5, None)] == [False, True, True, False, False]
    assert fact(ALICE, 10).believed_at(None)


def test_a_free_name_is_given() -> None:
    new = fact(ALICE, 10)
    assert assign((), new) == Revision((), (new,))


def test_what_is_so_already_changes_nothing() -> None:
    assert assign((fact(ALICE, 10),), fact(ALICE, 15, since=2)) == NO_REVISION


def test_a_name_that_another_has_is_not_given() -> None:
    with pytest.raises(NameTaken, match=r"is bound to alice@corp.example: unbind it first"):
        assign((fact(ALICE, 10),), fact(BOB, 20, since=2))


def test_a_name_is_not_given_for_a_time_in_which_another_had_it() -> None:
    past = (fact(ALICE, 10, 20),)
    with pytest.raises(NameTaken, match=r"was bound to alice@corp.example in that time"):
        assign(past, fact(BOB, 19, since=2))
    assert assign(past, fact(BOB, 20, since=2)).added == (fact(BOB, 20, since=2),)


def test_an_earlier_beginning_supersedes() -> None:
    old = fact(ALICE, 10)
    assert assign((old,), fact(ALICE, 5, since=2)) == Revision((old,), (fact(ALICE, 5, since=2),))


def test_spans_of_one_person_that_touch_are_joined() -> None:
    old = fact(ALICE, 10, 20)
    assert assign((old,), fact(ALICE, 20, since=2)) == Revision((old,), (fact(ALICE, 10, since=2),))
    assert assign((old,), fact(ALICE, 21, since=2)) == Revision((), (fact(ALICE, 21, since=2),))


def test_a_name_is_released() -> None:
    old = fact(ALICE, 10)
    assert release((old,), KEY, ALICE, 15, 2) == Revision((old,), (fact(ALICE, 10, 15, since=2),))
    # it never held: what is believed from now on says nothing of it, and what was believed stays readable
    assert release((old,), KEY, ALICE, 10, 2) == Revision((old,), ())


def test_a_name_is_released_by_its_holder_alone() -> None:
    with pytest.raises(NotBound):
        release((), KEY, ALICE, 15, 2)
    with pytest.raises(NotBound, match=r"aim/boogy: is not bound to bob@corp.example"):
        release((fact(ALICE, 10),), KEY, BOB, 15, 2)
    with pytest.raises(NotBound):
        release((fact(ALICE, 10, 12),), KEY, ALICE, 15, 2)


def test_a_name_is_not_released_before_it_was_given() -> None:
    with pytest.raises(TimeRefused):
        release((fact(ALICE, 10),), KEY, ALICE, 9, 2)


def test_who_had_it_then_and_who_was_believed_to() -> None:
    facts = (
        fact(ALICE, 10, since=1, to=2),
        fact(ALICE, 10, 20, since=2),
        fact(BOB, 30, since=3),
    )
    at_15, at_25, at_35 = (holder(facts, at) for at in (15, 25, 35))
    assert at_15 is not None
    assert at_15.person == ALICE
    assert at_25 is None
    assert at_35 is not None
    assert at_35.person == BOB
    # at version 1 no end was known yet
    believed_then = holder(facts, 35, 1)
    assert believed_then is not None
    assert believed_then.person == ALICE
    assert holder(facts, 15, 0) is None
    assert current(facts) == facts[2]
    assert current(facts[:2]) is None
    assert evolve(facts[0], person=BOB).key == KEY
    assert NetworkId("aim") == facts[0].network
