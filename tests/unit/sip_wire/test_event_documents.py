"""Documents of event packages: watcherinfo (RFC 3858), reginfo (RFC 3680), message summaries (RFC 3842), xpidf."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.messagesummary import MessageSummary, build_summary, parse_summary
from transports.sip.wire.pidf import Person, Pidf, PidfTuple, build_pidf, parse_pidf
from transports.sip.wire.reginfo import RegContact, RegInfo, build_reginfo, parse_reginfo
from transports.sip.wire.watcherinfo import (
    EVENTS,
    STATUSES,
    WatcherEntry,
    WatcherInfo,
    build_watcherinfo,
    parse_watcherinfo,
)
from transports.sip.wire.xpidf import build_xpidf, parse_xpidf

_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Zs", "Zl", "Zp")), min_size=1)
_WATCHERS = st.lists(
    st.builds(
        WatcherEntry,
        id=_TEXT,
        uri=_TEXT,
        status=st.sampled_from(sorted(STATUSES)),
        event=st.sampled_from(sorted(EVENTS)),
        display_name=st.just("") | _TEXT,
        expiration=st.none() | st.integers(0, 10**9),
    ),
    max_size=4,
).map(tuple)


@given(st.builds(WatcherInfo, version=st.integers(0, 10**9), full=st.booleans(), resource=_TEXT, package=_TEXT,
                 watchers=_WATCHERS))  # fmt: skip
def test_watchers_read_back(document: WatcherInfo) -> None:
    assert parse_watcherinfo(build_watcherinfo(document)) == document


def test_an_example_of_rfc_3858() -> None:
    """Section 4."""
    data = (
        b'<?xml version="1.0"?>\n<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="0" state="full">\n'
        b'<watcher-list resource="sip:professor@example.net" package="presence">\n'
        b'<watcher status="active" id="8ajksjda7s" duration-subscribed="509" event="approved" >sip:userA@example.net'
        b'</watcher>\n<watcher status="pending" id="hh8juja87s997-ass7" display-name="Mr. Subscriber" '
        b'event="subscribe">sip:userB@example.org</watcher>\n</watcher-list>\n</watcherinfo>'
    )
    info = parse_watcherinfo(data)
    assert (info.version, info.full, info.resource, info.package) == (0, True, "sip:professor@example.net", "presence")
    assert [(one.uri, one.status, one.event) for one in info.watchers] == [
        ("sip:userA@example.net", "active", "approved"), ("sip:userB@example.org", "pending", "subscribe"),
    ]  # fmt: skip
    assert info.watchers[1].display_name == "Mr. Subscriber"


@pytest.mark.parametrize(
    "data",
    [
        b"<x/>", b'<watcherinfo version="0" state="full"/>', b"no XML",
        b'<watcherinfo version="-1" state="full"><watcher-list/></watcherinfo>',
        b'<watcherinfo version="0" state="half"><watcher-list/></watcherinfo>',
        b'<watcherinfo version="0" state="full"><watcher-list><watcher status="x"/></watcher-list></watcherinfo>',
        b'<!DOCTYPE a [<!ENTITY b "c">]><watcherinfo version="0" state="full"><watcher-list/></watcherinfo>',
    ],
)  # fmt: skip
def test_what_is_no_watcherinfo_is_refused(data: bytes) -> None:
    with pytest.raises(SipSyntaxError):
        parse_watcherinfo(data)


def test_what_rfc_3858_does_not_know_is_not_written() -> None:
    entry = WatcherEntry(id="a", uri="sip:a@b", status="asleep", event="subscribe")  # type: ignore[arg-type]
    with pytest.raises(SipBuildError):
        build_watcherinfo(WatcherInfo(version=0, full=True, resource="sip:a@b", package="presence", watchers=(entry,)))
    with pytest.raises(SipBuildError):
        build_watcherinfo(WatcherInfo(version=-1, full=True, resource="sip:a@b", package="presence"))


_CONTACTS = st.lists(
    st.builds(
        RegContact,
        id=_TEXT,
        uri=_TEXT,
        state=st.sampled_from(["active", "terminated"]),
        event=st.sampled_from(["registered", "refreshed", "expired", "unregistered"]),
        expires=st.none() | st.integers(0, 10**9),
        q=st.none() | st.sampled_from([0.0, 0.5, 0.125, 1.0]),
        call_id=st.just("") | _TEXT,
        cseq=st.none() | st.integers(0, 2**31 - 1),
    ),
    max_size=4,
).map(tuple)


@given(st.builds(RegInfo, version=st.integers(0, 10**9), aor=_TEXT, id=_TEXT,
                 state=st.sampled_from(["init", "active", "terminated"]), contacts=_CONTACTS))  # fmt: skip
def test_registrations_read_back(document: RegInfo) -> None:
    assert parse_reginfo(build_reginfo(document)) == document


@pytest.mark.parametrize(
    "data",
    [
        b"<x/>", b"<reginfo/>", b'<reginfo version="0"><registration aor="a" id="b" state="odd"/></reginfo>',
        b'<reginfo version="x"><registration aor="a" id="b" state="init"/></reginfo>',
        (b'<reginfo><registration aor="a" id="b" state="init"><contact id="c" state="active" event="created"/>'
        b"</registration></reginfo>"),
    ],
)  # fmt: skip
def test_what_is_no_reginfo_is_refused(data: bytes) -> None:
    with pytest.raises(SipSyntaxError):
        parse_reginfo(data)


def test_a_q_beyond_one_is_not_written() -> None:
    contact = RegContact(id="a", uri="sip:a@b", state="active", event="registered", q=1.5)
    with pytest.raises(SipBuildError):
        build_reginfo(RegInfo(version=0, aor="sip:a@b", id="r", state="active", contacts=(contact,)))


@given(
    st.booleans(), st.just("") | st.just("sip:alice@example.test"),
    st.dictionaries(st.sampled_from(["voice-message", "pager-message", "none"]),
                    st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)))
)  # fmt: skip
def test_summaries_read_back(waiting: bool, account: str, counts: dict[str, tuple[int, int]]) -> None:
    summary = MessageSummary(
        waiting=waiting, account=account, counts=tuple((name, new, old) for name, (new, old) in counts.items())
    )
    assert parse_summary(build_summary(summary)) == summary


def test_an_example_of_rfc_3842() -> None:
    """Section 5.2, with the headers of single messages after a blank line."""
    data = (
        b"Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\nVoice-Message: 4/8 (1/2)\r\n\r\n"
        b"To: <alice@atlanta.example.com>\r\nMessages-Waiting: no\r\n"
    )
    assert parse_summary(data) == MessageSummary(
        waiting=True, account="sip:alice@vmail.example.com", counts=(("voice-message", 4, 8),)
    )
    assert build_summary(parse_summary(data)).endswith(b"Voice-Message: 4/8\r\n")


@pytest.mark.parametrize("data", [b"", b"Messages-Waiting: perhaps", b"\xff", b"x" * 20_000])
def test_what_is_no_summary_is_refused(data: bytes) -> None:
    with pytest.raises(SipSyntaxError):
        parse_summary(data)


@pytest.mark.parametrize(
    "summary",
    [MessageSummary(waiting=True, account="a\r\nb"), MessageSummary(waiting=True, counts=(("a b", 1, 1),)),
     MessageSummary(waiting=True, counts=(("none", -1, 0),))],
)  # fmt: skip
def test_a_summary_that_would_mean_something_else_is_not_written(summary: MessageSummary) -> None:
    with pytest.raises(SipBuildError):
        build_summary(summary)


@pytest.mark.parametrize(
    ("basic", "activities", "idle", "status", "word"),
    [
        ("open", (), None, "open", "online"), ("open", ("away",), None, "inuse", "away"),
        ("open", ("busy",), None, "inuse", "busy"), ("open", ("on-the-phone",), None, "inuse", "onthephone"),
        ("open", ("shopping",), None, "open", "online"), ("open", (), "2026-11-27T00:00:00Z", "inuse", "idle"),
        ("closed", ("away",), None, "closed", "offline"), ("open", ("meal",), None, "inuse", "outtolunch"),
    ],
)  # fmt: skip
def test_presence_in_the_old_form(
    basic: str, activities: tuple[str, ...], idle: str | None, status: str, word: str
) -> None:
    document = Pidf(
        entity='sip:a"b@example.test',
        tuples=(PidfTuple(id="t", basic=basic),),  # type: ignore[arg-type]
        person=Person(activities=activities, last_input=idle),
    )
    data = build_xpidf(document)
    told = parse_xpidf(data)
    assert (told.entity, told.status, told.substatus) == ('sip:a"b@example.test', status, word)


@pytest.mark.parametrize("data", [b"<presence/>", b"<x/>", b"", b'<presence><presentity uri="a"/></presence>'])
def test_what_is_no_xpidf_is_refused(data: bytes) -> None:
    with pytest.raises(SipSyntaxError):
        parse_xpidf(data)


# -- RPID and the data model in PIDF ----------------------------------------------------------------------------------


def test_rpid_and_devices_in_and_out() -> None:
    """RFC 4480 sections 3.6, 3.8, 3.10, 3.11, 3.13; RFC 4479 section 3.4."""
    data = (
        b'<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
        b' xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" xmlns:lt="urn:ietf:params:xml:ns:location-type"'
        b' entity="sip:a@b"><tuple id="t"><status><basic>open</basic></status><dm:deviceID>urn:x:desk</dm:deviceID>'
        b'</tuple><tuple id="u"><status><basic>open</basic></status></tuple>'
        b'<dm:person id="p"><r:mood><r:happy/><r:other>so so</r:other><r:note>n</r:note></r:mood>'
        b"<r:place-type><lt:office/></r:place-type><r:sphere><r:work/></r:sphere><r:time-offset>-240</r:time-offset>"
        b'</dm:person><dm:device id="d"><r:user-input last-input="2026-11-27T10:00:00Z">idle</r:user-input>'
        b"<dm:deviceID>urn:x:desk</dm:deviceID></dm:device></presence>"
    )
    document = parse_pidf(data)
    assert document.person == Person(
        id="p", moods=("happy", "so so"), places=("office",), sphere="work", time_offset=-240
    )
    assert [(one.device_id, one.last_input) for one in document.tuples] == [
        ("urn:x:desk", "2026-11-27T10:00:00Z"), (None, None),
    ]  # fmt: skip
    again = parse_pidf(build_pidf(document))
    assert again.person == document.person
    assert {one.id: one for one in again.tuples} == {one.id: one for one in document.tuples}
    assert [one.id for one in again.tuples] == ["u", "t"]  # the one that is idle comes after the one that is not


@pytest.mark.parametrize("offset", ["x", "99999", "+2000", ""])
def test_a_time_offset_that_is_none_counts_as_not_given(offset: str) -> None:
    data = f'<presence entity="a"><person id="p"><time-offset>{offset}</time-offset></person></presence>'.encode()
    person = parse_pidf(data).person
    assert person is not None
    assert person.time_offset is None


def test_the_most_available_tuple_is_first() -> None:
    tuples = (
        PidfTuple(id="closed", basic="closed", priority=1.0),
        PidfTuple(id="away", basic="open", activities=("away",), priority=1.0),
        PidfTuple(id="busy", basic="open", activities=("busy",), priority=0.9),
        PidfTuple(id="low", basic="open", priority=0.1),
        PidfTuple(id="high", basic="open", priority=0.5),
    )
    again = parse_pidf(build_pidf(Pidf(entity="sip:a@b", tuples=tuples)))
    assert [one.id for one in again.tuples] == ["high", "low", "busy", "away", "closed"]
