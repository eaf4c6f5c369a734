import pytest

from bridge.model.presence import OFFLINE, Activity, Basic, Device, PersonPresence
from mappings.content import ContentError
from mappings.pidf import from_pidf, to_pidf
from transports.sip.wire.pidf import parse_pidf

TARGET = "sip:alice@corp.example"
NOW = 1_700_000_000.0


def document(status: str = "<basic>open</basic>", more: str = "", extra: str = "") -> bytes:
    return (
        "<?xml version='1.0'?><presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:alice@corp.example'"
        " xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid'>"
        f"<tuple id='a'><status>{status}</status>{more}</tuple>{extra}</presence>"
    ).encode()


def person(activity: str, note: str = "") -> str:
    inner = f"<dm:note>{note}</dm:note>" if note else ""
    return f"<dm:person id='p'><rpid:activities>{activity}</rpid:activities>{inner}</dm:person>"


@pytest.mark.parametrize(
    ("data", "basic", "activity", "note"),
    [
        (document(), Basic.OPEN, Activity.AVAILABLE, ""),
        (document("<basic>closed</basic>"), Basic.CLOSED, Activity.AVAILABLE, ""),
        (document(extra=person("<rpid:away/>")), Basic.OPEN, Activity.AWAY, ""),
        (document(extra=person("<rpid:busy/>", "do not")), Basic.OPEN, Activity.BUSY, "do not"),
        (document(extra=person("<rpid:on-the-phone/><rpid:away/>")), Basic.OPEN, Activity.ON_THE_PHONE, ""),
        (document(extra=person("<rpid:vacation/>")), Basic.OPEN, Activity.EXTENDED_AWAY, ""),
        (document(extra=person("<rpid:shopping/>")), Basic.OPEN, Activity.AVAILABLE, "Shopping"),
        (document(extra=person("<rpid:other>fishing</rpid:other>")), Basic.OPEN, Activity.AVAILABLE, "fishing"),
        (document("<basic>open</basic><show xmlns='jabber:client'>dnd</show>"), Basic.OPEN,
         Activity.DO_NOT_DISTURB, ""),
        (document("<basic>open</basic><show xmlns='jabber:client'>xa</show>", extra=person("<rpid:busy/>")), Basic.OPEN,
         Activity.EXTENDED_AWAY, ""),
        (document("<basic>open</basic><show xmlns='jabber:client'>chat</show>"), Basic.OPEN, Activity.FREE_FOR_CHAT,
         ""),
        (document("<basic>open</basic><show xmlns='jabber:client'>away</show>"), Basic.OPEN, Activity.AWAY, ""),
        (document(more="<note>hello</note>"), Basic.OPEN, Activity.AVAILABLE, "hello"),
    ],
)  # fmt: skip
def test_documents(data: bytes, basic: Basic, activity: Activity, note: str) -> None:
    presence, _ = from_pidf(data, NOW)
    assert (presence.basic, presence.activity, presence.note) == (basic, activity, note)


def test_an_activity_without_a_place_is_a_loss() -> None:
    assert [loss.feature for loss in from_pidf(document(extra=person("<rpid:shopping/>")), NOW)[1]] == ["presence"]
    assert from_pidf(document(extra=person("<rpid:away/>")), NOW)[1] == ()


def test_times() -> None:
    stamped = "<dm:person id='p'><dm:timestamp>2001-02-03T04:05:06Z</dm:timestamp></dm:person>"
    assert from_pidf(document(extra=stamped), NOW)[0].since == 981173106.0
    future = stamped.replace("2001", "2101")
    assert from_pidf(document(extra=future), NOW)[0].since == NOW
    assert from_pidf(document(extra=stamped.replace("2001-", "x")), NOW)[0].since is None


@pytest.mark.parametrize("data", [b"", b"<a/>", b"<!DOCTYPE x []><presence/>", document()[:-5]])
def test_what_is_no_document(data: bytes) -> None:
    with pytest.raises(ContentError) as caught:
        from_pidf(data, NOW)
    assert caught.value.feature == "presence"


@pytest.mark.parametrize(
    ("activity", "expected", "shown"),
    [
        (Activity.AVAILABLE, b"<basic>open</basic>", None),
        (Activity.FREE_FOR_CHAT, b"<show xmlns='jabber:client'>chat</show>", "Free for chat"),
        (Activity.AWAY, b"<rpid:away/>", None),
        (Activity.EXTENDED_AWAY, b"<show xmlns='jabber:client'>xa</show>", "Away for long"),
        (Activity.BUSY, b"<rpid:busy/>", None),
        (Activity.DO_NOT_DISTURB, b"<show xmlns='jabber:client'>dnd</show>", "Do not disturb"),
        (Activity.ON_THE_PHONE, b"<rpid:on-the-phone/>", None),
        (Activity.MEETING, b"<rpid:meeting/>", None),
        (Activity.MEAL, b"<rpid:meal/>", None),
        (Activity.BE_RIGHT_BACK, b"<rpid:away/>", "Be right back"),
    ],
)
def test_each_activity_out(activity: Activity, expected: bytes, shown: str | None) -> None:
    data, losses = to_pidf(PersonPresence(basic=Basic.OPEN, activity=activity), TARGET)
    assert expected in data
    assert parse_pidf(data).first_note == shown
    assert bool(losses) == (activity is Activity.BE_RIGHT_BACK)
    back = from_pidf(data, NOW)[0]
    assert back.activity is (Activity.AWAY if activity is Activity.BE_RIGHT_BACK else activity)


def test_who_hides_is_closed_and_nothing_else() -> None:
    hidden = PersonPresence(
        basic=Basic.OPEN,
        invisible=True,
        note="secret",
        activity=Activity.MEETING,
        devices=(Device(id="phone", basic=Basic.OPEN, note="secret"),),
    )
    assert to_pidf(hidden, TARGET)[0] == to_pidf(OFFLINE, TARGET)[0]
    assert b"<basic>closed</basic>" in to_pidf(hidden, TARGET)[0]


def test_idle_is_told_and_read() -> None:
    idle = PersonPresence(basic=Basic.OPEN, idle_since=1_700_000_000.0)
    data, losses = to_pidf(idle, "sip:a@corp.example")
    assert losses == ()
    assert b'<rpid:user-input last-input="2023-11-14T22:13:20Z">idle</rpid:user-input>' in data
    assert from_pidf(data, 1_700_000_900.0)[0].idle_since == 1_700_000_000.0
    assert from_pidf(data, 1_600_000_000.0)[0].idle_since == 1_600_000_000.0
    for changed in (data.replace(b">idle<", b">active<"), data.replace(b"2023-11-14T", b"yesterday ")):
        assert from_pidf(changed, 1_700_000_900.0)[0].idle_since is None


def test_idle_of_devices_is_told_and_many_devices_are_losses() -> None:
    many = tuple(Device(id=f"d{number}", basic=Basic.OPEN, idle_since=2.0) for number in range(40))
    presence = PersonPresence(basic=Basic.OPEN, idle_since=1.0, devices=many)
    data, losses = to_pidf(presence, TARGET)
    assert [loss.feature for loss in losses] == ["devices"]
    assert from_pidf(data, 100.0)[0].devices[0].idle_since == 2.0
    assert len(parse_pidf(data).tuples) == 32


def test_device_ids_that_are_no_xml_ids_are_replaced() -> None:
    ids = ["p1", "t2", "t2", "a b", "", "<x>", "ok-1._", "1x", "\u00e4"]
    devices = tuple(Device(id=name, basic=Basic.OPEN) for name in ids)
    data, _ = to_pidf(PersonPresence(basic=Basic.OPEN, devices=devices), TARGET)
    found = [item.id for item in parse_pidf(data).tuples]
    assert len(set(found)) == len(ids)
    assert "ok-1._" in found
