"""RFC 4475 and RFC 5118 as data: each message, what its section says of it, and what we make of it.

Meant to be imported by whoever sends these messages somewhere: to the codec, or over a socket to a running server.
"""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs

DATA: Final = Path(__file__).parents[2] / "data"


@attrs.frozen
class TortureCase:
    """One message.

    Attributes:
        file: its path below tests/data.
        valid: the codec takes it (parse and validate); what is refused for its meaning alone is valid here.
        status: the response that a UAS or registrar for the right domain gives. Where `valid` is false, what the
            codec's error says; None where there is no answer (responses are dropped) or any answer but a syntax error
            will do.
        section: where it is described.
        why: what the section says, in one sentence.
        names: a word that the reason of the error must hold.
        also: further answers that the section or the abilities of the server allow.
        stream: what a stream transport makes of it, where that differs from a datagram: the status, or "wait" where
            it waits for more, or "two" where it holds two messages.
        completed: octets that the file lacks at its end, without which another fault than the one meant is found.
    """

    file: str
    valid: bool
    status: int | None
    section: str
    why: str
    names: str = ""
    also: tuple[int, ...] = ()
    stream: int | str | None = None
    completed: bytes = b""

    @property
    def name(self) -> str:
        """Its short name in the RFC."""
        return Path(self.file).stem.partition("-")[2]

    @property
    def is_response(self) -> bool:
        """Whether it is a response."""
        return self.data().startswith(b"SIP/")

    def data(self) -> bytes:
        """The octets to send."""
        return (DATA / self.file).read_bytes() + self.completed


def _ok(file: str, section: str, why: str, status: int | None = None, **more: object) -> TortureCase:
    return TortureCase(file, True, status, section, why, **more)  # type: ignore[arg-type]


def _bad(file: str, status: int | None, names: str, section: str, why: str, **more: object) -> TortureCase:
    return TortureCase(file, False, status, section, why, names, **more)  # type: ignore[arg-type]


_R: Final = "RFC 4475 "
_S: Final = "RFC 5118 "
_NO_INVITE: Final = (405, 501, 488)  # a server without calls

CASES: Final[dict[str, TortureCase]] = {
    case.name: case
    for case in (
        _ok("rfc4475/001-wsinv.dat", _R + "3.1.1.1", "folding, blanks and odd spellings wherever the grammar has them"),
        _ok("rfc4475/002-intmeth.dat", _R + "3.1.1.2", "every character that tokens, users and words may hold; the method is unknown", 501, also=(405, 404)),
        _ok("rfc4475/003-esc01.dat", _R + "3.1.1.3", "escapes are decoded once and only where URIs are compared; %40 is part of the user"),
        _ok("rfc4475/004-escnull.dat", _R + "3.1.1.4", "an escaped NUL in the user part does not end anything", also=(200, 401, 403, 404)),
        _ok("rfc4475/005-esc02.dat", _R + "3.1.1.5", "% is an ordinary character of methods and header names: this is not REGISTER", 501, also=(405,)),
        _ok("rfc4475/006-lwsdisp.dat", _R + "3.1.1.6", "no blank is needed between display name and <"),
        _ok("rfc4475/007-longreq.dat", _R + "3.1.1.7", "long values and 34 Via are legal"),
        _ok("rfc4475/008-dblreq.dat", _R + "3.1.1.8", "what follows the REGISTER in a datagram is ignored", also=(200, 401), stream="two"),
        _ok("rfc4475/009-semiuri.dat", _R + "3.1.1.9", "the semicolon belongs to the user part"),
        _ok("rfc4475/010-transports.dat", _R + "3.1.1.10", "Via may name transports that nobody knows"),
        _ok("rfc4475/011-mpart01.dat", _R + "3.1.1.11", "a multipart body holds binary octets", also=(202, 415)),
        _ok("rfc4475/012-unreason.dat", _R + "3.1.1.12", "a Reason-Phrase may hold any UTF-8"),
        _ok("rfc4475/013-noreason.dat", _R + "3.1.1.13", "a Reason-Phrase may be empty"),
        _bad("rfc4475/014-badinv01.dat", 400, "Via", _R + "3.1.2.1", "empty parameters and values in Via and Contact"),
        _bad("rfc4475/015-clerr.dat", 400, "Content-Length", _R + "3.1.2.2", "Content-Length is larger than the datagram", stream="wait"),
        _bad("rfc4475/016-ncl.dat", 400, "Content-Length", _R + "3.1.2.3", "Content-Length is negative", stream=400),
        _bad("rfc4475/017-scalar02.dat", 400, "CSeq", _R + "3.1.2.4", "CSeq is beyond 2**31; Max-Forwards and Expires are too large too"),
        _bad("rfc4475/018-scalarlg.dat", None, "CSeq", _R + "3.1.2.5", "CSeq and Retry-After of a response are too large: it is dropped"),
        _bad("rfc4475/019-quotbal.dat", 400, "To", _R + "3.1.2.6", "the quotation mark of To is not closed"),
        _bad("rfc4475/020-ltgtruri.dat", 400, "Request-URI", _R + "3.1.2.7", "the Request-URI stands in angle brackets"),
        _bad("rfc4475/021-lwsruri.dat", 400, "request line", _R + "3.1.2.8", "a blank inside the Request-URI"),
        _bad("rfc4475/022-lwsstart.dat", 400, "request line", _R + "3.1.2.9", "more than one blank in the request line"),
        _bad("rfc4475/023-trws.dat", 400, "request line", _R + "3.1.2.10", "blanks at the end of the request line"),
        _bad("rfc4475/024-escruri.dat", 400, "Request-URI", _R + "3.1.2.11", "the Request-URI holds headers"),
        _ok("rfc4475/025-baddate.dat", _R + "3.1.2.12", "Date is not in GMT; who does not act on it should not refuse it"),
        _bad("rfc4475/026-regbadct.dat", 400, "Contact", _R + "3.1.2.13", "a Contact URI with ? stands without angle brackets"),
        _bad("rfc4475/027-badaspec.dat", 400, "To", _R + "3.1.2.14", "blanks inside the angle brackets"),
        _bad("rfc4475/028-baddn.dat", 400, "From", _R + "3.1.2.15", "a display name with a comma is not quoted", completed=b"\r\n"),
        _bad("rfc4475/029-badvers.dat", 505, "version", _R + "3.1.2.16", "SIP/7.0"),
        _bad("rfc4475/030-mismatch01.dat", 400, "CSeq", _R + "3.1.2.17", "CSeq names another method"),
        _bad("rfc4475/031-mismatch02.dat", 501, "CSeq", _R + "3.1.2.18", "CSeq names another method than the unknown one: 501 is the better answer", also=(400,)),
        _bad("rfc4475/032-bigcode.dat", None, "status code", _R + "3.1.2.19", "the status code does not fit: it is dropped"),
        _ok("rfc4475/033-badbranch.dat", _R + "3.2.1", "the branch is the cookie alone and tells nothing apart"),
        _bad("rfc4475/034-insuf.dat", 400, "missing", _R + "3.3.1", "Call-ID, From and To are missing"),
        _bad("rfc4475/035-unkscm.dat", 416, "Request-URI", _R + "3.3.2", "a scheme that nobody knows"),
        _bad("rfc4475/036-novelsc.dat", 416, "Request-URI", _R + "3.3.3", "a known scheme that SIP does not route"),
        _ok("rfc4475/037-unksm2.dat", _R + "3.3.4", "To, From and Contact of other schemes parse; a registrar wants a SIP URI in To", 400, also=(401, 403, 404, 416)),
        _ok("rfc4475/038-bext01.dat", _R + "3.3.5", "Require names options that are not supported", 420),
        _ok("rfc4475/039-invut.dat", _R + "3.3.6", "a body of an unknown type", 415, also=_NO_INVITE),
        _ok("rfc4475/040-regaut01.dat", _R + "3.3.7", "credentials of an unknown scheme count as none", 401, also=(407,)),
        _bad("rfc4475/041-multi01.dat", 400, "more than one", _R + "3.3.8", "CSeq, Call-ID, To and From stand twice"),
        _bad("rfc4475/042-mcl01.dat", 400, "Content-Length", _R + "3.3.9", "two different Content-Lengths", stream=400),
        _bad("rfc4475/043-bcast.dat", None, "Via", _R + "3.3.10", "well formed, but with a second Via (to the broadcast address): an endpoint drops it"),
        _ok("rfc4475/044-zeromf.dat", _R + "3.3.11", "Max-Forwards 0 is no error where the request arrives", also=(200, 483)),
        _ok("rfc4475/045-cparam01.dat", _R + "3.3.12", "without angle brackets the parameter is Contact's", also=(200, 401)),
        _ok("rfc4475/046-cparam02.dat", _R + "3.3.13", "in angle brackets the parameter is the URI's", also=(200, 401)),
        _ok("rfc4475/047-regescrt.dat", _R + "3.3.14", "a Contact URI with headers in angle brackets", also=(200, 401)),
        _ok("rfc4475/048-sdp01.dat", _R + "3.3.15", "Accept does not allow the session description", 406, also=_NO_INVITE),
        _ok("rfc4475/049-inv2543.dat", _R + "3.4.1", "an INVITE of RFC 2543: no branch, tag, Max-Forwards or Content-Length", stream=400),
        _bad("rfc4475/062-test.dat", None, "header line", "none: of the same collection, not in the RFC", "no version, no Via, a header line without a colon: nothing to answer along"),
        _ok("rfc5118/050-ipv6-good.dat", _S + "4.1", "an IPv6 reference as Request-URI", also=(200, 401)),
        _bad("rfc5118/051-ipv6-bad.dat", 400, "Request-URI", _S + "4.2", "an IPv6 address without brackets"),
        _ok("rfc5118/052-port-ambiguous.dat", _S + "4.3", "5070 is a part of the address", also=(200, 401)),
        _ok("rfc5118/053-port-unambiguous.dat", _S + "4.4", "5070 is the port", also=(200, 401)),
        _ok("rfc5118/054-via-received-param-with-delim.dat", _S + "4.5", "received with brackets is to be tolerated", 481),
        _ok("rfc5118/055-via-received-param-no-delim.dat", _S + "4.5", "received without brackets is what the grammar wants"),
        _ok("rfc5118/056-ipv6-in-sdp.dat", _S + "4.6", "IPv6 addresses in the session description"),
        _ok("rfc5118/057-mult-ip-in-header.dat", _S + "4.7", "IPv4 and IPv6 in Via together", 481),
        _ok("rfc5118/058-mult-ip-in-sdp.dat", _S + "4.8", "IPv4 and IPv6 in the session description together"),
        _ok("rfc5118/059-ipv4-mapped-ipv6.dat", _S + "4.9", "IPv4-mapped IPv6 addresses"),
        _ok("rfc5118/060-ipv6-bug-abnf-3-colons.dat", _S + "4.10", "the third colon that RFC 3261's grammar allowed may be ignored"),
        _ok("rfc5118/061-ipv6-correct-abnf-2-colons.dat", _S + "4.10", "the same with two colons"),
    )
}  # fmt: skip
