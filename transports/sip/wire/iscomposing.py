"""Typing: the is-composing document (RFC 3994)."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import attrs

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.grammar import delta_seconds
from transports.sip.wire.xmldoc import child_text, local, read_xml
from transports.sip.wire.xmldoc import text as xml_text

State: TypeAlias = Literal["active", "idle", "gone"]
"""RFC 3994's two, and `gone` of RFC 7573: the user has left the conversation."""
CONTENT_TYPE: Final = "application/im-iscomposing+xml"
MAX_SIZE: Final = 8 * 1024
MIN_REFRESH: Final = 60  # RFC 3994 section 3.2: no shorter refresh may be asked for
MAX_REFRESH: Final = 24 * 3600


@attrs.frozen(kw_only=True)
class IsComposing:
    """One indication.

    Attributes:
        state: active, idle or gone.
        content_type: what is being composed, such as "text/plain".
        refresh: seconds after which an active state is repeated; None where not said (then 120 s, section 3.2).
        last_active: RFC 3339 text as it came.
    """

    state: State
    content_type: str | None = None
    refresh: int | None = None
    last_active: str | None = None


def parse_iscomposing(data: bytes) -> IsComposing:
    """Read an is-composing document.

    A state that is not known counts as idle (section 3.2); a refresh that is no number counts as not given, and others
    are brought between a minute and a day.

    Raises:
        SipSyntaxError: larger than 8 KiB (413); not well formed, a DTD or entities, another root, no state (400).
    """
    root = read_xml(data, "isComposing", MAX_SIZE)
    if local(root) != "isComposing":
        raise SipSyntaxError(f"isComposing: the root is {local(root)[:40]!r}")
    state = child_text(root, "state")
    if state is None:
        raise SipSyntaxError("isComposing: state is missing")
    refresh = delta_seconds(child_text(root, "refresh"))
    seconds = None if refresh is None else min(max(refresh, MIN_REFRESH), MAX_REFRESH)
    return IsComposing(
        state="active" if state == "active" else "gone" if state == "gone" else "idle",
        content_type=child_text(root, "contenttype"),
        refresh=seconds,
        last_active=child_text(root, "lastactive"),
    )


def build_iscomposing(value: IsComposing) -> bytes:
    """Write an is-composing document in UTF-8. Raises SipBuildError for a refresh below 60 s."""
    out = [
        '<?xml version="1.0" encoding="UTF-8"?>\n<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">\n',
        f"<state>{value.state}</state>\n",
    ]
    if value.last_active is not None:
        out.append(f"<lastactive>{xml_text(value.last_active)}</lastactive>\n")
    if value.content_type is not None:
        out.append(f"<contenttype>{xml_text(value.content_type)}</contenttype>\n")
    if value.refresh is not None:
        if value.refresh < MIN_REFRESH:
            raise SipBuildError(f"isComposing: refresh {value.refresh} is below {MIN_REFRESH} seconds")
        out.append(f"<refresh>{value.refresh}</refresh>\n")
    out.append("</isComposing>\n")
    return "".join(out).encode()
