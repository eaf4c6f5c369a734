"""Presence that crosses the bridge twice does not wander: to(from(to(x))) == to(x) for each network."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.presence import Activity, Basic, Device, PersonPresence
from mappings.oscar_presence import from_buddy, to_own
from mappings.pidf import from_pidf, to_pidf
from transports.oscar.wire.native import Availability, BuddyPresence, OwnPresence

NOW = 1_700_000_000.0
TARGET = "sip:alice@corp.example"
NOTE = st.text(max_size=20)
MOMENT = st.none() | st.integers(0, int(NOW)).map(float)
DEVICES = st.builds(
    Device,
    id=st.sampled_from(["a", "b", "p1", "t1", "x y"]),
    basic=st.sampled_from(Basic),
    activity=st.sampled_from(Activity),
    note=NOTE,
    priority=st.none() | st.floats(0, 1),
    timestamp=MOMENT,
)
PRESENCE = st.builds(
    PersonPresence,
    basic=st.sampled_from(Basic),
    activity=st.sampled_from(Activity),
    note=NOTE,
    since=MOMENT,
    idle_since=MOMENT,
    devices=st.lists(DEVICES, max_size=3).map(tuple),
    invisible=st.booleans(),
)


def as_seen(own: OwnPresence) -> BuddyPresence:
    """How the network shows to others what we said of ourselves."""
    return BuddyPresence(
        account="watcher",
        screen_name=own.account,
        online=True,
        away=own.state is Availability.AWAY,
        away_message=own.away_message,
        idle_minutes=own.idle_seconds // 60,
        invisible=own.state is Availability.INVISIBLE,
        icq_status=own.icq_status,
    )


@given(PRESENCE, st.sampled_from(["alicework", "123456"]))
def test_oscar(presence: PersonPresence, account: str) -> None:
    own, _ = to_own(account, presence, NOW)
    seen, _ = from_buddy(as_seen(own), NOW)
    again, losses = to_own(account, seen, NOW)
    assert again == own
    assert losses == ()


@given(PRESENCE)
def test_pidf(presence: PersonPresence) -> None:
    document, _ = to_pidf(presence, TARGET)
    seen, losses = from_pidf(document, NOW)
    assert losses == ()
    assert to_pidf(seen, TARGET)[0] == document


@given(PRESENCE)
def test_nothing_of_who_hides_is_told(presence: PersonPresence) -> None:
    hidden = evolve(presence, invisible=True)
    assert to_pidf(hidden, TARGET)[0] == to_pidf(PersonPresence(basic=Basic.CLOSED), TARGET)[0]
    assert to_own("alicework", hidden, NOW)[0] == OwnPresence(account="alicework", state=Availability.INVISIBLE)
