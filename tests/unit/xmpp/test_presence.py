"""RFC 8048 section 6: presence of contacts, and ours."""

import pytest

from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from mappings.xmpp_presence import from_contact, priority, resource_priority, to_own
from transports.xmpp.wire.native import ContactPresence, Place, Show

ME, ROMEO = "alice@sip.example", "romeo@x.example"


@pytest.mark.parametrize(("number", "pidf"), [(0, 0.0), (1, 0.007), (2, 0.015), (126, 0.992), (127, 1.0)])
def test_priority_rows(number: int, pidf: float) -> None:
    assert priority(number) == pidf


def test_priority_and_back_for_all() -> None:
    assert [resource_priority(priority(number)) for number in range(128)] == list(range(128))
    assert priority(-1) is None


@pytest.mark.parametrize(
    ("show", "activity"),
    [(Show.NONE, Activity.AVAILABLE), (Show.CHAT, Activity.FREE_FOR_CHAT), (Show.AWAY, Activity.AWAY),
     (Show.XA, Activity.EXTENDED_AWAY), (Show.DND, Activity.DO_NOT_DISTURB)],
)  # fmt: skip
def test_show_both_ways(show: Show, activity: Activity) -> None:
    place = Place(resource="balcony", show=show, status="words", priority=5)
    came = from_contact(ContactPresence(account=ME, contact=ROMEO, places=(place,)))
    assert (came.basic, came.activity, came.note) == (Basic.OPEN, activity, "words")
    assert came.devices[0].id == "ID-balcony"
    assert came.devices[0].priority == priority(5)
    own, losses = to_own(ME, PersonPresence(basic=Basic.OPEN, activity=activity, note="words"), always_there=False)
    assert own.place is not None
    assert (own.place.show, own.place.status) == (show, "words")
    assert not losses


def test_what_has_no_word_says_so_in_the_status() -> None:
    own, losses = to_own(ME, PersonPresence(basic=Basic.OPEN, activity=Activity.MEETING), always_there=False)
    assert own.place is not None
    assert (own.place.show, own.place.status) == (Show.DND, "In a meeting")
    assert losses


def test_gone() -> None:
    assert from_contact(ContactPresence(account=ME, contact=ROMEO)) == OFFLINE
    last = from_contact(ContactPresence(account=ME, contact=ROMEO, status="good night"))
    assert (last.basic, last.note) == (Basic.CLOSED, "good night")
    assert to_own(ME, OFFLINE, always_there=False)[0].place is None


def test_an_account_that_must_stay_there_is_long_away() -> None:
    own, losses = to_own(ME, OFFLINE, always_there=True)
    assert own.place == Place(resource="", show=Show.XA)
    assert losses
