"""Any octets as lists of resources: URIs that an RLMI document holds unharmed, or SipSyntaxError."""

from tests.kit.lists import read_related, read_rlmi, resource_list
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.resourcelists import MAX_ENTRIES, parse_resource_lists
from transports.sip.wire.rlmi import Part, Rlmi, RlmiInstance, RlmiResource, build_related, build_rlmi

_HEAD = b'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>'
_END = b"</list></resource-lists>"
SEEDS: list[bytes] = [
    resource_list("sip:alice@example.test", "sip:b\u00fc@example.test", "tel:+49123"),
    resource_list(),
    _HEAD + b'<list name="a"><entry uri="sip:a@b"><display-name>A</display-name></entry></list>' + _END,
    _HEAD + b'<entry-ref ref="x/y"/><external anchor="http://h/"/><entry uri=" sip:a@b&amp;&quot;"/>' + _END,
    b'<!DOCTYPE p [<!ENTITY a "b">]><resource-lists><list><entry uri="&a;"/></list></resource-lists>',
    '<?xml version="1.0" encoding="UTF-16"?><resource-lists><list/></resource-lists>'.encode("utf-16"),
]


def one(data: bytes) -> None:
    """Reads a list, and tells its state in a multipart body that is read again."""
    try:
        uris = parse_resource_lists(data)
    except SipSyntaxError:
        return
    assert len(uris) == len(set(uris)) <= MAX_ENTRIES
    assert all(uris)
    resources = tuple(
        RlmiResource(uri=uri, instances=(RlmiInstance(id="1", state="active", cid=f"{number}@h"),))
        for number, uri in enumerate(uris)
    )
    document = build_rlmi(
        Rlmi(uri=data[:20].decode("latin-1"), version=len(uris), full_state=True, resources=resources)
    )
    root = Part(content_type="application/rlmi+xml", content_id="root@h", body=document)
    parts = [
        Part(content_type="application/pidf+xml", content_id=f"{number}@h", body=uri.encode("utf-8", "replace"))
        for number, uri in enumerate(uris)
    ]
    kind, body = build_related(root, parts, "0123456789abcdef-not-in-any-part")
    (_, first), *others = read_related(kind, body)
    assert first == document
    again = read_rlmi(first, {head["Content-Id"].strip("<>"): octets for head, octets in others})
    assert again.version == len(uris)
    assert again.resources == {uri: [("active", None, uri.encode("utf-8", "replace"))] for uri in uris}
