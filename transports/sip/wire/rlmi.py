"""The state of a list: application/rlmi+xml (RFC 4662 section 5), and the multipart/related around it (RFC 2387)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import attrs

from transports.sip.wire.errors import SipBuildError
from transports.sip.wire.grammar import check_text, check_token
from transports.sip.wire.xmldoc import attribute

CONTENT_TYPE: Final = "application/rlmi+xml"
MULTIPART: Final = "multipart/related"

InstanceState: TypeAlias = Literal["active", "pending", "terminated"]
_CONTENT_ID: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]+@[A-Za-z0-9.\-\[\]:]+")
_BOUNDARY: Final = re.compile(r"[A-Za-z0-9'+_\-.]{1,70}")
"""Those that need no quotation marks: linphone 5.1 takes the marks for a part of it, and ends in a crash."""


@attrs.frozen(kw_only=True)
class RlmiInstance:
    """One source of a resource's state.

    Attributes:
        id: names it among the resource's instances.
        state: that of the subscription to it.
        reason: why, where it is terminated (RFC 6665 section 4.1.3).
        cid: the Content-ID, without angle brackets, of the part that holds its state; None where there is none.
    """

    id: str
    state: InstanceState
    reason: str | None = None
    cid: str | None = None


@attrs.frozen(kw_only=True)
class RlmiResource:
    """One entry of the list. Without an instance nothing is said of its state."""

    uri: str
    instances: tuple[RlmiInstance, ...] = ()


@attrs.frozen(kw_only=True)
class Rlmi:
    """What a NOTIFY says of a list.

    Attributes:
        uri: the list's.
        version: 0 in the first NOTIFY of a subscription, one more in each that follows.
        full_state: whether it names all resources of the list, or those that have changed.
    """

    uri: str
    version: int
    full_state: bool
    resources: tuple[RlmiResource, ...] = ()


@attrs.frozen(kw_only=True)
class Part:
    """One body of several. `content_id` without angle brackets."""

    content_type: str
    content_id: str
    body: bytes


def build_rlmi(document: Rlmi) -> bytes:
    """Write the document in UTF-8. Characters that XML cannot hold are left out.

    Raises:
        SipBuildError: a version below 0 or beyond 32 bits (RFC 4662 section 5.2).
    """
    if not 0 <= document.version < 2**32:
        raise SipBuildError(f"RLMI: version {document.version} is not of 32 bits")
    full = "true" if document.full_state else "false"
    out = ['<?xml version="1.0" encoding="UTF-8"?>\n<list xmlns="urn:ietf:params:xml:ns:rlmi"']
    out.append(f' uri={attribute(document.uri)} version="{document.version}" fullState="{full}">\n')
    for resource in document.resources:
        if resource.instances:
            out.append(f"<resource uri={attribute(resource.uri)}>\n")
            out += [_instance(one) for one in resource.instances]
            out.append("</resource>\n")
        else:
            out.append(f"<resource uri={attribute(resource.uri)}/>\n")
    out.append("</list>\n")
    return "".join(out).encode()


def _instance(instance: RlmiInstance) -> str:
    reason = f" reason={attribute(instance.reason)}" if instance.reason else ""
    cid = f" cid={attribute(instance.cid)}" if instance.cid else ""
    return f'<instance id={attribute(instance.id)} state="{instance.state}"{reason}{cid}/>\n'


def build_related(root: Part, parts: Iterable[Part], boundary: str, *, bare: bool = False) -> tuple[str, bytes]:
    """Write a multipart/related body, the root first. Returns its Content-Type and its octets.

    Args:
        root: the part that speaks of the others.
        parts: the others.
        boundary: stands in none of them; a random one makes sure of it.
        bare: write Content-IDs without their angle brackets, for who looks for a part by the text of a `cid`.

    Raises:
        SipBuildError: no boundary (RFC 2046 section 5.1.1, without what must be quoted) or Content-ID (RFC 2392), a
            line end in a Content-Type, or the boundary is in a part.
    """
    if not _BOUNDARY.fullmatch(boundary):
        raise SipBuildError(f"multipart: {boundary[:80]!r} is no boundary")
    delimiter = f"--{boundary}".encode()
    out: list[bytes] = []
    for part in (root, *parts):
        if not _CONTENT_ID.fullmatch(part.content_id):
            raise SipBuildError(f"multipart: {part.content_id[:80]!r} is no Content-ID")
        if delimiter in part.body:
            raise SipBuildError("multipart: the boundary is in a part")
        head = (
            "\r\nContent-Transfer-Encoding: binary\r\n"
            f"Content-Id: {part.content_id if bare else f'<{part.content_id}>'}\r\n"  # so spelled for linphone
            f"Content-Type: {check_text(part.content_type, 'Content-Type')}\r\n\r\n"
        )
        out += [delimiter, head.encode(), part.body, b"\r\n"]
    out += [delimiter, b"--\r\n"]
    kind = root.content_type.partition(";")[0].strip()
    for token in kind.split("/", 1):
        check_token(token, "Content-Type")
    return f'{MULTIPART};type="{kind}";start="<{root.content_id}>";boundary={boundary}', b"".join(out)
