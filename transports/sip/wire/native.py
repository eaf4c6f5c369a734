"""What the SIP transport hands to the bridge and takes from it. Values only; the mapping reads and makes these.

`aor` is always on the corporate side: "user@host", the user decoded, the host in lower case. URIs are texts.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs


@attrs.frozen
class SipForm:
    """A content in one of its forms."""

    content_type: str
    body: bytes


@attrs.frozen(kw_only=True)
class SipMessage:
    """One MESSAGE (RFC 3428).

    Attributes:
        aor: incoming: the authenticated sender. Outgoing: the AOR to deliver to.
        peer: the other side's URI as text. Incoming: Request-URI (To). Outgoing: From.
        call_id: the Call-ID; the thread in RFC 7572. Outgoing: empty, the transport makes a fresh one.
        cseq: the CSeq number; with `call_id` the identity of the message. Outgoing: 0.
        content_type: Content-Type as text, with parameters; "text/plain" where the client left it out.
        body: the octets, still encoded by `Content-Encoding` if the headers hold one.
        headers: those that matter beyond: Subject, Date, Content-Language, Content-Encoding, Content-Disposition,
            Expires, User-Agent, Priority, Reply-To, In-Reply-To.
        display_name: the sender's, empty where there is none.
        device: the sending contact's instance, where known: `+sip.instance` or the Contact URI's text. Outgoing: the
            instance that alone is to have it, where the sender wrote to a GRUU (RFC 5627); None: all.
        others: outgoing: the same in other forms, the best first, for a device that does not take `content_type`.
    """

    aor: str
    peer: str
    call_id: str
    cseq: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    display_name: str = ""
    device: str | None = None
    others: tuple[SipForm, ...] = ()

    def header(self, name: str) -> str | None:
        """The first header of this name, without regard to case, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@attrs.frozen(kw_only=True)
class SipTyping:
    """One is-composing indication (RFC 3994, and `gone` of RFC 7573). `refresh` in seconds, None where not said."""

    aor: str
    peer: str
    state: Literal["active", "idle", "gone"]
    refresh: int | None = None
    device: str | None = None
    """Outgoing, as in `SipMessage`."""


@attrs.frozen(kw_only=True)
class SipPublished:
    """A PUBLISH of presence that was accepted (RFC 3903).

    Attributes:
        aor: whose presence.
        pidf: the document; None where the publication was removed or ran out.
        entity_tag: the tag that names this publication now.
        expires: seconds from now; 0 where it is over.
        contact_count: publications of this AOR that live, this one included.
    """

    aor: str
    pidf: bytes | None
    entity_tag: str
    expires: int
    contact_count: int = 1


@attrs.frozen(kw_only=True)
class SipRegistration:
    """An AOR's contacts changed (RFC 3261 section 10). `contacts` is how many are left; 0: it is offline."""

    aor: str
    contacts: int
    user_agents: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class SipWatch:
    """A SUBSCRIBE to presence that was accepted, refreshed or ended (RFC 6665, RFC 3856); one for each entry of a list.

    Attributes:
        aor: the watcher, authenticated.
        target: the watched URI as text.
        id: names the subscription, or the entry of a list, for as long as it lives; opaque.
        expires: seconds from now; 0: it is over, or it was a mere fetch.
        fetch: it asked for one NOTIFY and no subscription.
    """

    aor: str
    target: str
    id: str
    expires: int
    fetch: bool = False


@attrs.frozen(kw_only=True)
class SipPresence:
    """Presence to be sent to watchers as NOTIFY.

    Attributes:
        target: the watched, as URI text: the `entity` of the document.
        watcher: the AOR of the one watcher that may see it, or None for all whom the transport holds for the target.
        pidf: the document; None for "nothing known".
        state: the subscription's state to tell; that of an entry of a list is told for it alone.
        reason: RFC 6665 4.1.3, for `terminated`: rejected, noresource, timeout, deactivated, probation, giveup.
        subscription: the id from SipWatch, where it is for one subscription alone.
        subscriptions: several of them, which are all shown the same.
        hidden: the watcher is on no list of watchers (RFC 3857): policy has the watched not learn of it.
    """

    target: str
    watcher: str | None
    pidf: bytes | None
    state: Literal["active", "pending", "terminated"] = "active"
    reason: str | None = None
    subscription: str | None = None
    subscriptions: tuple[str, ...] = ()
    hidden: bool = False


@attrs.frozen(kw_only=True)
class SipSeen:
    """Presence of somebody at another server, that we have subscribed to there (RFC 6665, RFC 3856).

    Attributes:
        aor: whose.
        watcher: the one person here that may see it; empty: everybody whom policy lets.
        pidf: the document; None where nothing is known (any more).
    """

    aor: str
    watcher: str
    pidf: bytes | None


SipNative: TypeAlias = SipMessage | SipTyping | SipPublished | SipRegistration | SipWatch | SipPresence | SipSeen
