"""What the RFCs ask of documents, each statement with its RFC and section: a table of checks.

What is told there in other words is tested beside each codec. Here is what nothing else would miss.
"""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import fromstring

import pytest

from transports.sip.wire.cpim import IMDN, CpimHeader, build_cpim, parse_cpim
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.imdn import Imdn, build_imdn, parse_imdn
from transports.sip.wire.iscomposing import IsComposing, build_iscomposing, parse_iscomposing
from transports.sip.wire.pidf import Note, Person, Pidf, PidfTuple, build_pidf, parse_pidf
from transports.sip.wire.xmldoc import read_xml

CHECKS: dict[str, Callable[[], None]] = {}
NAMES = {
    "": "urn:ietf:params:xml:ns:pidf",
    "dm": "urn:ietf:params:xml:ns:pidf:data-model",
    "rpid": "urn:ietf:params:xml:ns:pidf:rpid",
}
FULL = Pidf(
    entity="sip:a@b",
    tuples=(
        PidfTuple(
            id="t1", basic="open", show="away", contact="sip:a@b", priority=0.5, notes=(Note(text="n", lang="en"),),
            timestamp="2026-11-28T07:00:00Z", activities=("away",), device_id="urn:x:d",
            last_input="2026-11-28T06:00:00Z",
        ),
        PidfTuple(id="t2", basic="closed"),
    ),
    person=Person(
        id="p1", activities=("away", "juggling"), other="fishing", notes=(Note(text="x"),), moods=("happy", "so so"),
        places=("office",), sphere="work", time_offset=60, timestamp="2026-11-28T07:00:00Z",
        last_input="2026-11-28T06:00:00Z",
    ),
    notes=(Note(text="of all"),),
)  # fmt: skip
"""Everything that is written."""


def check(statement: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Puts a check into the table under what the RFC says."""

    def put(body: Callable[[], None]) -> Callable[[], None]:
        assert statement not in CHECKS
        CHECKS[statement] = body
        return body

    return put


def tag(prefix: str, name: str) -> str:
    return f"{{{NAMES[prefix]}}}{name}"


def head(inner: str) -> bytes:
    spaces = "".join(f' xmlns{":" if prefix else ""}{prefix}="{uri}"' for prefix, uri in NAMES.items())
    return f'<?xml version="1.0" encoding="UTF-8"?><presence{spaces} entity="sip:a@b">{inner}</presence>'.encode()


# -- RFC 3863: PIDF ---------------------------------------------------------------------------------------------------


@check("RFC 3863 4.1, 4.4: a document is UTF-8 XML; tuples come first, then notes, then what other namespaces add")
def _order_of_presence() -> None:
    data = build_pidf(FULL)
    assert data.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    root = fromstring(data.decode())
    assert root.tag == tag("", "presence")
    assert [one.tag for one in root] == [tag("", "tuple"), tag("", "tuple"), tag("", "note"), tag("dm", "person")]


@check("RFC 3863 4.4: in a tuple status comes first, then other namespaces, contact, note and timestamp, in that order")
def _order_of_tuple() -> None:
    (first, _) = fromstring(build_pidf(FULL).decode()).iterfind(tag("", "tuple"))
    names = [one.tag for one in first]
    own = [name for name in names if name.startswith(f"{{{NAMES['']}}}")]
    assert own == [tag("", name) for name in ("status", "contact", "note", "timestamp")]
    assert names.index(tag("dm", "deviceID")) < names.index(tag("", "contact"))


@check("RFC 3863 4.1.2: every tuple that is written has an id, and no two the same; status says open or closed")
def _ids() -> None:
    root = fromstring(build_pidf(FULL).decode())
    ids = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(ids) == len(set(ids)) == 3
    assert {one.text for one in root.iter(tag("", "basic"))} == {"open", "closed"}


@check("RFC 3863 4.1.5: priority has three decimal digits at most")
def _digits() -> None:
    for value, written in ((1 / 3, "0.333"), (1.0, "1"), (0.0, "0"), (0.5, "0.5")):
        item = PidfTuple(id="a", contact="sip:a@b", priority=value)
        assert f'priority="{written}"'.encode() in build_pidf(Pidf(entity="x", tuples=(item,)))


@check("RFC 3863 4.2: a document whose elements have a prefix, and one with comments, says the same as any other")
def _spelling() -> None:
    plain = head('<tuple id="a"><status><basic>open</basic></status></tuple>')
    odd = (
        b'<q:presence xmlns:q="urn:ietf:params:xml:ns:pidf" entity="sip:a@b"><!-- hello --><q:tuple id="a"><q:status>'
        b"<?what ever?><q:basic>open</q:basic></q:status></q:tuple></q:presence>"
    )
    assert parse_pidf(odd) == parse_pidf(plain)


# -- RFC 4479: the data model -----------------------------------------------------------------------------------------


@check("RFC 4479 3.2: a person has an id; what is said of them comes before note and timestamp")
def _order_of_person() -> None:
    person = fromstring(build_pidf(FULL).decode()).find(tag("dm", "person"))
    assert person is not None
    assert person.get("id") == "p1"
    names = [one.tag for one in person]
    assert names[-2:] == [tag("dm", "note"), tag("dm", "timestamp")]
    assert all(name.startswith(f"{{{NAMES['rpid']}}}") for name in names[:-2])


@check("RFC 4479 3.2: of several persons, who may contradict each other, none is lost")
def _persons() -> None:
    data = head(
        '<dm:person id="a"><rpid:activities><rpid:away/></rpid:activities></dm:person>'
        '<dm:person id="b"><rpid:activities><rpid:busy/></rpid:activities></dm:person>'
    )
    person = parse_pidf(data).person
    assert person is not None
    assert person.activities == ("away", "busy")


@check("RFC 4479 3.4: idleness of a device counts for the tuples that name the device, and for no other")
def _device() -> None:
    data = head(
        '<tuple id="a"><status/><dm:deviceID>urn:x:1</dm:deviceID></tuple>'
        '<tuple id="b"><status/><dm:deviceID>urn:x:2</dm:deviceID></tuple>'
        '<dm:device id="d"><rpid:user-input last-input="2026-11-28T06:00:00Z">idle</rpid:user-input>'
        "<dm:deviceID>urn:x:1</dm:deviceID></dm:device>"
    )
    assert [one.last_input for one in parse_pidf(data).tuples] == ["2026-11-28T06:00:00Z", None]


# -- RFC 4480: RPID ---------------------------------------------------------------------------------------------------


@check("RFC 4480 3.2: activities are elements of RPID; one of one's own stands in other")
def _activities() -> None:
    person = fromstring(build_pidf(FULL).decode()).find(tag("dm", "person"))
    assert person is not None
    group = person.find(tag("rpid", "activities"))
    assert group is not None
    assert [(one.tag, one.text) for one in group] == [
        (tag("rpid", "away"), None), (tag("rpid", "other"), "juggling"), (tag("rpid", "other"), "fishing"),
    ]  # fmt: skip


@check("RFC 4480 3.13: user-input is idle with the time of the last input, and active is not idle")
def _input() -> None:
    assert b'<rpid:user-input last-input="2026-11-28T06:00:00Z">idle</rpid:user-input>' in build_pidf(FULL)
    active = (
        '<tuple id="a"><status/><rpid:user-input last-input="2026-11-28T06:00:00Z">active</rpid:user-input></tuple>'
    )
    assert parse_pidf(head(active)).tuples[0].last_input is None


@check("RFC 4480 3: elements that a reader does not know change nothing of those that it knows")
def _unknown() -> None:
    known = "<rpid:activities><rpid:away/></rpid:activities>"
    for more in ("<rpid:class>x</rpid:class>", "<rpid:relationship><rpid:self/></rpid:relationship>",
                 '<rpid:privacy><rpid:text/></rpid:privacy>', "<x:y xmlns:x='urn:x'><x:away/></x:y>"):  # fmt: skip
        with_it = parse_pidf(head(f'<dm:person id="p">{known}{more}</dm:person>'))
        assert with_it == parse_pidf(head(f'<dm:person id="p">{known}</dm:person>')), more


@check("RFC 4480 3: what is said from one time until another is read while it is in force, and not before or after")
def _in_force() -> None:
    times = 'from="2026-11-28T07:00:00Z" until="2026-11-28T09:00:00+01:00"'
    activities = f"<rpid:activities {times}><rpid:meeting/></rpid:activities>"
    data = head(f'<dm:person id="p">{activities}<rpid:mood until="yesterday"><rpid:happy/></rpid:mood></dm:person>')
    seven = 1795849200.0  # 2026-11-28T07:00:00Z
    for now, found in ((seven - 1, ()), (seven, ("meeting",)), (seven + 3599, ("meeting",)), (seven + 3600, ())):
        person = parse_pidf(data, now=now).person
        assert person is not None
        assert (person.activities, person.moods) == (found, ("happy",))


# -- RFC 3862: CPIM ---------------------------------------------------------------------------------------------------


@check("RFC 3862 2, 3.6: headers, an empty line, MIME headers, an empty line, the content; one blank after the colon")
def _cpim_form() -> None:
    headers = [
        CpimHeader("From", "<sip:a@b>"),
        CpimHeader("Subject", "hé", lang="fr"),
        CpimHeader("Message-ID", "1", IMDN),
    ]
    data = build_cpim(headers, "text/plain; charset=utf-8", "hé".encode())
    top, mime, content = data.split(b"\r\n\r\n")
    assert top.decode().split("\r\n") == [
        "From: <sip:a@b>", "Subject:;lang=fr hé", "NS: imdn <urn:ietf:params:imdn>", "imdn.Message-ID: 1",
    ]  # fmt: skip
    assert mime.decode().split("\r\n")[0] == "Content-Type: text/plain; charset=utf-8"
    assert content == "hé".encode()


@check("RFC 3862 3.4: a prefix means what the NS before it says, and one that none has declared is an error")
def _namespaces() -> None:
    lines = "NS: a <urn:ietf:params:imdn>\r\na.Message-ID: 7\r\n\r\n\r\nx"
    assert parse_cpim(lines.encode()).first("Message-ID", IMDN) == "7"
    with pytest.raises(SipSyntaxError):
        parse_cpim(b"a.Message-ID: 7\r\nNS: a <urn:ietf:params:imdn>\r\n\r\n\r\nx")


@check("RFC 3862 2.4: what is in the content is no header, whatever it looks like")
def _content() -> None:
    body = b"From: <sip:ceo@b>\r\n\r\nNS: x <y>"
    message = parse_cpim(build_cpim([CpimHeader("From", "<sip:a@b>")], "text/plain", body))
    assert (message.sender, message.content.body) == ("sip:a@b", body)


@check("RFC 3862 3.5, 4.7: what Require names and is not known is told by its name")
def _require() -> None:
    lines = "Require: Foo, Subject\r\nFrom: <sip:a@b>\r\n\r\n\r\nx"
    assert parse_cpim(lines.encode()).unknown() == ["Foo"]


# -- RFC 3994: composing ----------------------------------------------------------------------------------------------


@check("RFC 3994 3: a document is in its namespace, state first; what is not known in it is passed over")
def _composing() -> None:
    value = IsComposing(state="active", content_type="text/plain", refresh=60, last_active="2026-11-28T06:00:00Z")
    root = fromstring(build_iscomposing(value).decode())
    space = "{urn:ietf:params:xml:ns:im-iscomposing}"
    assert root.tag == f"{space}isComposing"
    assert [one.tag.removeprefix(space) for one in root] == ["state", "lastactive", "contenttype", "refresh"]
    more = build_iscomposing(value).replace(b"</isComposing>", b"<x:y xmlns:x='urn:x'>idle</x:y></isComposing>")
    assert parse_iscomposing(more) == value


@check("RFC 3994 3: who is idle says no refresh; an active one may leave it out")
def _composing_defaults() -> None:
    for state in ("idle", "active"):
        assert parse_iscomposing(f"<isComposing><state>{state}</state></isComposing>".encode()).refresh is None


# -- RFC 5438: receipts -----------------------------------------------------------------------------------------------


@check("RFC 5438 7.2.1: message-id and datetime come first, then who it was for, then one status")
def _imdn_order() -> None:
    value = Imdn(
        message_id="1", kind="delivery", status="failed", datetime="2026-11-28T06:00:00Z", recipient="sip:a@b",
        original_recipient="sip:c@d",
    )  # fmt: skip
    space = "{urn:ietf:params:xml:ns:imdn}"
    root = fromstring(build_imdn(value).decode())
    assert [one.tag.removeprefix(space) for one in root] == [
        "message-id", "datetime", "recipient-uri", "original-recipient-uri", "delivery-notification",
    ]  # fmt: skip
    assert [one.tag.removeprefix(space) for one in root[-1][0]] == ["failed"]


@check("RFC 5438 7.2.1: a subject, a note and extensions in a notification change nothing of what it says")
def _imdn_more() -> None:
    data = build_imdn(Imdn(message_id="1", kind="display", status="displayed", datetime="2026-11-28T06:00:00Z"))
    more = data.replace(b"<display-", b"<subject>s</subject><note>n</note><x xmlns='urn:x'/><display-")
    assert more != data
    assert parse_imdn(more) == parse_imdn(data)


# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", CHECKS)
def test_what_the_rfc_asks_for(statement: str) -> None:
    CHECKS[statement]()


def test_no_rfc_of_documents_is_left_out() -> None:
    named = " ".join(CHECKS)
    for number in ("3863", "4479", "4480", "3862", "3994", "5438"):
        assert f"RFC {number}" in named


def test_everything_that_is_written_is_read_again() -> None:
    assert read_xml(build_pidf(FULL), "PIDF", 100_000) is not None
    again = parse_pidf(build_pidf(FULL))
    assert again.tuples == FULL.tuples
    assert again.person is not None
    assert (again.person.moods, again.person.places, again.person.sphere) == (("happy", "so so"), ("office",), "work")
