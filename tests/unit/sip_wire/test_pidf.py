"""Presence and typing documents."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.iscomposing import IsComposing, build_iscomposing, parse_iscomposing
from transports.sip.wire.pidf import (
    ACTIVITIES,
    MAX_TUPLES,
    Note,
    Person,
    Pidf,
    PidfTuple,
    _availability,
    build_pidf,
    parse_pidf,
)

# RFC 4479 and 4480 in the shape that pjsip sends.
PJSIP = b"""<?xml version="1.0" encoding="UTF-8"?>
<presence entity="sip:alice@example.com" xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
 xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"><tuple id="pj1"><status><basic>open</basic></status>
<timestamp>2026-11-23T12:00:00Z</timestamp><note>On the phone</note></tuple>
<dm:person id="pj2"><rpid:activities><rpid:on-the-phone/><rpid:unheard-of/></rpid:activities><dm:note>Busy</dm:note></dm:person></presence>"""

# RFC 8048 embeds the XMPP show; other prefixes, other namespaces for what we know by name.
GATEWAY = b"""<p:presence xmlns:p="urn:ietf:params:xml:ns:cpim-pidf" entity="pres:juliet@example.com">
<p:tuple id="ID-balcony"><p:status><p:basic> OPEN </p:basic><show xmlns='jabber:client'>dnd</show></p:status>
<p:contact priority="0.007">sip:juliet@example.com;gr=balcony</p:contact><p:note xml:lang="en">Wooing</p:note></p:tuple>
<p:note>all</p:note></p:presence>"""


def test_pjsip() -> None:
    document = parse_pidf(PJSIP)
    assert (document.entity, document.basic, document.activities) == (
        "sip:alice@example.com",
        "open",
        ("on-the-phone",),
    )
    assert document.first_note == "Busy"
    assert document.tuples[0].timestamp == "2026-11-23T12:00:00Z"


def test_gateway() -> None:
    document = parse_pidf(GATEWAY)
    assert document.tuples == (
        PidfTuple(
            id="ID-balcony", basic="open", show="dnd", contact="sip:juliet@example.com;gr=balcony", priority=0.007,
            notes=(Note(text="Wooing", lang="en"),),
        ),
    )  # fmt: skip
    assert document.notes == (Note(text="all"),)
    assert document.person is None


@pytest.mark.parametrize(
    ("tuples", "basic"), [((), "closed"), (("closed",), "closed"), (("closed", "open"), "open"), ((None,), "closed")]
)
def test_basic_of_several(tuples: tuple[str | None, ...], basic: str) -> None:
    items = tuple(PidfTuple(id=f"t{i}", basic=value) for i, value in enumerate(tuples))  # type: ignore[arg-type]
    assert Pidf(entity="sip:a@b", tuples=items).basic == basic


def test_odd_but_read() -> None:
    text = b'<presence entity="sip:a@b"><tuple><status><basic>perhaps</basic></status><contact priority="7">x</contact></tuple>'
    (item,) = parse_pidf(text + b"</presence>").tuples
    assert (item.id, item.basic, item.priority, item.contact) == ("t0", None, None, "x")
    bare = b'<presence entity="x"><tuple id="a"><contact priority="1"/></tuple></presence>'
    assert parse_pidf(bare).tuples == (PidfTuple(id="a"),)
    utf16 = '<?xml version="1.0" encoding="UTF-16"?><presence entity="sip:ü@b"/>'.encode("utf-16")
    assert parse_pidf(utf16).entity == "sip:ü@b"


LAUGHS = b'<!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><presence entity="&b;"/>'


@pytest.mark.parametrize(
    ("data", "names", "status"),
    [
        (LAUGHS, "DTD", 400),
        (b'<!DOCTYPE p SYSTEM "file:///etc/passwd"><presence entity="x"/>', "DTD", 400),
        (b'<presence entity="&undefined;"/>', "XML", 400),
        (b"", "XML", 400),
        (b"<presence entity='x'>", "XML", 400),
        (b"<presence entity='x'/><x/>", "XML", 400),
        (b"<presence/>", "entity", 400),
        (b"<isComposing/>", "presence", 400),
        (b"<presence entity='x'>" + b"<a>" * 40, "deeper", 400),
        (b"<presence entity='x'>" + b"<tuple/>" * (MAX_TUPLES + 1) + b"</presence>", "tuples", 400),
        (b"<presence entity='" + b"x" * 70_000 + b"'/>", "larger", 413),
        (b"<?xml version='1.0' encoding='nonsense'?><presence entity='x'/>", "XML", 400),
        (b"\xff\xfe\x00", "XML", 400),
    ],
)
def test_refused(data: bytes, names: str, status: int) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        parse_pidf(data)
    assert names in caught.value.reason
    assert caught.value.status == status


def test_built_for_real_clients() -> None:
    document = Pidf(
        entity="sip:alice@example.com",
        tuples=(
            PidfTuple(id="t1", basic="closed"),
            PidfTuple(id="t2", basic="open", priority=0.1),
            PidfTuple(id="t3", basic="open", contact="sip:a@b", priority=0.8, notes=(Note(text="<&>"),)),
        ),
        person=Person(activities=("away", "juggling"), notes=(Note(text="back soon", lang="en"),)),
    )
    text = build_pidf(document).decode()
    # baresip looks for these texts; libpurple and pjsip believe the first tuple.
    assert "<basic>open</basic>" in text
    assert "<rpid:away/>" in text
    assert re.findall(r'<tuple id="(\w+)">', text) == ["t3", "t2", "t1"]
    assert "<rpid:other>juggling</rpid:other>" in text
    assert '<contact priority="0.8">sip:a@b</contact>' in text
    again = parse_pidf(text.encode())
    assert again.basic == "open"
    assert again.person is not None
    assert (again.person.activities, again.person.other) == (("away",), "juggling")


@pytest.mark.parametrize(
    "document",
    [
        Pidf(entity=""),
        Pidf(entity="x", tuples=(PidfTuple(id="1"),)),
        Pidf(entity="x", tuples=(PidfTuple(id='a"b'),)),
        Pidf(entity="x", tuples=(PidfTuple(id="a"), PidfTuple(id="a"))),
        Pidf(entity="x", tuples=(PidfTuple(id="p1"),), person=Person()),
        Pidf(entity="x", tuples=(PidfTuple(id="a", contact="c", priority=1.5),)),
        Pidf(entity="x", tuples=(PidfTuple(id="a", contact="c", priority=float("nan")),)),
    ],
)
def test_not_built(document: Pidf) -> None:
    with pytest.raises(SipBuildError):
        build_pidf(document)


def test_what_xml_cannot_hold_is_left_out() -> None:
    text = "bell\x07 nul\x00 \ud800 \uffff\rline\nü"
    built = build_pidf(Pidf(entity="sip:a@b", notes=(Note(text=text),)))
    assert parse_pidf(built).notes == (Note(text="bell nul  \rline\nü"),)


_WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Zs", "Zl", "Zp", "Co"]), min_size=1, max_size=12)
_NOTES = st.lists(
    st.builds(lambda t, lang: Note(text=t, lang=lang), _WORDS, st.none() | st.just("de")), max_size=2
).map(tuple)
_TUPLES = st.lists(
    st.builds(
        lambda basic, contact, notes, active, show: PidfTuple(
            id="x", basic=basic, contact=contact, notes=notes, activities=active, show=show
        ),
        st.sampled_from(["open", "closed", None]),
        st.none() | _WORDS,
        _NOTES,
        st.lists(st.sampled_from(sorted(ACTIVITIES)), unique=True, max_size=2).map(tuple),
        st.sampled_from([None, "away", "xa", "dnd", "chat"]),
    ),
    max_size=4,
)


@given(_WORDS, _TUPLES, _NOTES)
def test_written_and_read(entity: str, tuples: list[PidfTuple], notes: tuple[Note, ...]) -> None:
    items = sorted(tuples, key=_availability)
    import attrs

    named = tuple(attrs.evolve(item, id=f"t{i}") for i, item in enumerate(items))
    document = Pidf(entity=entity, tuples=named, notes=notes, person=Person(activities=("busy",), notes=notes))
    assert parse_pidf(build_pidf(document)) == document


@pytest.mark.parametrize(
    "value",
    [
        IsComposing(state="active"),
        IsComposing(state="idle", content_type="text/plain", refresh=90, last_active="2026-11-23T12:00:00Z"),
    ],
)
def test_typing(value: IsComposing) -> None:
    assert parse_iscomposing(build_iscomposing(value)) == value


@pytest.mark.parametrize(
    ("inner", "state", "refresh"),
    [
        ("<state>active</state><refresh>5</refresh>", "active", 60),
        ("<state> active </state><refresh>9999999999</refresh>", "active", 86400),
        ("<state>pondering</state><refresh>soon</refresh>", "idle", None),
        ("<s:state xmlns:s='urn:x'>idle</s:state>", "idle", None),
    ],
)
def test_typing_read_generously(inner: str, state: str, refresh: int | None) -> None:
    value = parse_iscomposing(f"<isComposing>{inner}</isComposing>".encode())
    assert (value.state, value.refresh) == (state, refresh)


def test_typing_refused() -> None:
    for data in (
        b"",
        b"<isComposing/>",
        b"<presence entity='x'/>",
        LAUGHS,
        b"<isComposing>" + b" " * 9000 + b"</isComposing>",
    ):
        with pytest.raises(SipSyntaxError):
            parse_iscomposing(data)
    with pytest.raises(SipBuildError):
        build_iscomposing(IsComposing(state="active", refresh=5))


# -- RFC 3863, section by section ---------------------------------------------------------------------------------------


OPEN_STATUS = "<status><basic>open</basic></status>"


def _tuple(inner: str) -> PidfTuple:
    head = '<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" xmlns:x="urn:x" '
    (item,) = parse_pidf(
        f'{head} xmlns:p="urn:ietf:params:xml:ns:pidf" entity="sip:a@b">{inner}</presence>'.encode()
    ).tuples
    return item


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        # Section 4.1: what a tuple may have; basic may be missing from a status.
        ("<status/>", {}),
        (f'{OPEN_STATUS}<contact priority="0.8">im:a@b</contact>', {"basic": "open", "contact": "im:a@b", "priority": 0.8}),
        ('<note xml:lang="fr">Au revoir</note>', {"notes": (Note(text="Au revoir", lang="fr"),)}),
        ("<timestamp>2003-08-27T11:49:29Z</timestamp>", {"timestamp": "2003-08-27T11:49:29Z"}),
        # Elements that are not known are passed over, wherever they stand.
        ("<status><basic>open</basic><x:m>blue</x:m></status><x:y><basic>closed</basic></x:y>", {"basic": "open"}),
        # An optional element with something in it that must be understood, and is not, says nothing.
        ('<r:activities><r:away/><x:y p:mustUnderstand="1"/></r:activities>', {}),
        ('<r:activities><r:away/><x:y p:mustUnderstand="0"/></r:activities>', {"activities": ("away",)}),
    ],
)  # fmt: skip
def test_rfc_3863(inner: str, expected: dict[str, object]) -> None:
    assert _tuple(f'<tuple id="i">{inner}</tuple>') == PidfTuple(id="i", **expected)  # type: ignore[arg-type]
