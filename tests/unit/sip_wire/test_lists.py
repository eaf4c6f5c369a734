"""Lists of resources (RFC 4826), their state (RFC 4662) and the multipart/related around it (RFC 2387)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.lists import read_related, read_rlmi, resource_list
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.resourcelists import MAX_ENTRIES, parse_resource_lists
from transports.sip.wire.rlmi import Part, Rlmi, RlmiInstance, RlmiResource, build_related, build_rlmi

HEAD = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">'
# What XML can hold in an attribute that is read back as it was: no blanks at the ends, none but spaces inside.
URIS = st.lists(
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40), max_size=30, unique=True
)


def _read(inside: str) -> tuple[str, ...]:
    return parse_resource_lists(f"{HEAD}{inside}</resource-lists>".encode())


def test_the_example_of_rfc_5367() -> None:
    """Section 7, with its blanks."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"\n'
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n <list>\n  <entry uri="sip:bill@example.com" />\n'
        '  <entry uri="sip:joe@example.org" />\n  <entry uri="sip:ted@example.net" />\n </list>\n</resource-lists>\n'
    )
    assert parse_resource_lists(text.encode()) == (
        "sip:bill@example.com", "sip:joe@example.org", "sip:ted@example.net"
    )  # fmt: skip


def test_lists_in_lists_are_one_in_order_and_each_entry_is_there_once() -> None:
    inside = (
        '<list name="a"><entry uri="sip:a@h"/><list><entry uri="sip:b@h"/><list><entry uri="sip:c@h"/></list></list>'
        '<entry uri="sip:a@h"/></list><list><entry uri=" sip:d@h "><display-name>D</display-name></entry></list>'
    )
    assert _read(inside) == ("sip:a@h", "sip:b@h", "sip:c@h", "sip:d@h")


def test_what_is_elsewhere_is_left_there() -> None:
    inside = '<list><entry-ref ref="x"/><external anchor="http://h/x"/><entry uri="tel:+1"/><x uri="sip:no@h"/></list>'
    assert _read(inside) == ("tel:+1",)
    assert _read('<entry uri="sip:outside@h"/>') == ()


def test_unusual_namespaces_are_read() -> None:
    assert parse_resource_lists(
        b'<r:resource-lists xmlns:r="u:x"><r:list><r:entry uri="a:b"/></r:list></r:resource-lists>'
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"<list/>", 400),
        (f"{HEAD}<list><entry/></list></resource-lists>".encode(), 400),
        (f'{HEAD}<list><entry uri=" "/></list></resource-lists>'.encode(), 400),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><resource-lists><list><entry uri="&b;"/></list></resource-lists>', 400),
        (f"{HEAD}{'<list>' * 40}{'</list>' * 40}</resource-lists>".encode(), 400),
        (resource_list(*[f"sip:{n}@h" for n in range(MAX_ENTRIES + 1)]), 413),
        (resource_list(*["sip:same@h"] * (MAX_ENTRIES + 1)), 413),
        (b" " * 70_000, 413),
    ],
)
def test_lists_that_are_refused(data: bytes, status: int) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        parse_resource_lists(data)
    assert caught.value.status == status


def test_limits_are_the_callers() -> None:
    assert len(parse_resource_lists(resource_list("a:b", "a:c"), 1000, 2)) == 2
    with pytest.raises(SipSyntaxError, match="more than 1"):
        parse_resource_lists(resource_list("a:b", "a:c"), 1000, 1)


@given(URIS, st.integers(0, 2**32 - 1), st.booleans())
def test_what_was_listed_is_told(uris: list[str], version: int, full: bool) -> None:
    found = parse_resource_lists(resource_list(*uris))
    assert list(found) == uris
    document = Rlmi(
        uri="sip:list@h", version=version, full_state=full, resources=tuple(RlmiResource(uri=uri) for uri in found)
    )
    again = read_rlmi(build_rlmi(document), {})
    assert (again.uri, again.version, again.full) == ("sip:list@h", version, full)
    assert again.resources == {uri: [] for uri in uris}


def test_states_are_told() -> None:
    document = Rlmi(
        uri='sip:"<&@h', version=0, full_state=True,
        resources=(
            RlmiResource(uri="sip:a@h", instances=(RlmiInstance(id="1", state="active", cid="c@h"),)),
            RlmiResource(uri="sip:b@h", instances=(RlmiInstance(id="1", state="terminated", reason="noresource"),)),
        ),
    )  # fmt: skip
    assert build_rlmi(document) == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<list xmlns="urn:ietf:params:xml:ns:rlmi" uri=\'sip:"&lt;&amp;@h\' version="0" fullState="true">\n'
        b'<resource uri="sip:a@h">\n<instance id="1" state="active" cid="c@h"/>\n</resource>\n'
        b'<resource uri="sip:b@h">\n<instance id="1" state="terminated" reason="noresource"/>\n</resource>\n</list>\n'
    )


@pytest.mark.parametrize("version", [-1, 2**32])
def test_versions_have_32_bits(version: int) -> None:
    with pytest.raises(SipBuildError):
        build_rlmi(Rlmi(uri="u", version=version, full_state=True))


ROOT = Part(content_type='application/rlmi+xml;charset="UTF-8"', content_id="r@h", body=b"<list/>")


def test_the_root_of_a_multipart_is_first() -> None:
    part = Part(content_type="application/pidf+xml", content_id="a@h", body=b"\r\n--b\r\n")
    kind, body = build_related(ROOT, [part], "bound")
    assert kind == 'multipart/related;type="application/rlmi+xml";start="<r@h>";boundary=bound'
    assert body == (
        b"--bound\r\nContent-Transfer-Encoding: binary\r\nContent-Id: <r@h>\r\n"
        b'Content-Type: application/rlmi+xml;charset="UTF-8"\r\n\r\n<list/>\r\n'
        b"--bound\r\nContent-Transfer-Encoding: binary\r\nContent-Id: <a@h>\r\n"
        b"Content-Type: application/pidf+xml\r\n\r\n"
        b"\r\n--b\r\n\r\n--bound--\r\n"
    )
    assert [octets for _, octets in read_related(kind, body)] == [ROOT.body, part.body]
    assert b"Content-Id: a@h\r\n" in build_related(ROOT, [part], "bound", bare=True)[1]


@pytest.mark.parametrize(
    ("part", "boundary"),
    [
        (ROOT, ""),
        (ROOT, "needs quotes:"),
        (ROOT, "x" * 71),
        (Part(content_type="a/b", content_id="no-at", body=b""), "b"),
        (Part(content_type="a/b", content_id="a@h>", body=b""), "b"),
        (Part(content_type="a/b\r\nX: y", content_id="a@h", body=b""), "b"),
        (Part(content_type="a/b", content_id="a@h", body=b"x--b"), "b"),
    ],
)
def test_what_would_break_a_multipart_is_not_written(part: Part, boundary: str) -> None:
    with pytest.raises(SipBuildError):
        build_related(ROOT, [part], boundary)
