"""message/cpim: an instant message in an envelope of its own (RFC 3862).

Headers have namespaces: ``NS: imdn <urn:ietf:params:imdn>`` names one, and ``imdn.Message-ID`` is a header of it. What
is read is known by the namespace and never by the prefix, which each sender may choose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import attrs

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.mime import Entity, read_entity, read_headers, split_head

CONTENT_TYPE: Final = "message/cpim"
CORE: Final = "urn:ietf:params:cpim-headers:"
IMDN: Final = "urn:ietf:params:imdn"
_KNOWN: Final = frozenset({
    (CORE, name) for name in ("From", "To", "cc", "DateTime", "Subject", "NS", "Require")
} | {
    (IMDN, name)
    for name in ("Message-ID", "Disposition-Notification", "Original-To", "IMDN-Record-Route", "IMDN-Route")
})  # fmt: skip
"""What a sender may require (RFC 3862 section 4.7): that of which something is made here."""
_NAMES: Final = {name.lower(): name for namespace, name in _KNOWN if namespace == CORE}
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPED: Final = {"b": "\b", "t": "\t", "n": "\n", "r": "\r"}
_LANG: Final = re.compile(r";lang=([A-Za-z0-9-]{1,35})(?: |$)(.*)", re.DOTALL | re.IGNORECASE)
_NS: Final = re.compile(r"(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]+)?<([^<>]*)>")
_TO_ESCAPE: Final = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_URI: Final = re.compile(r"[^\s<>\"\x00-\x1f\x7f]{1,2048}")


@attrs.frozen
class CpimHeader:
    """One header: the URI of its namespace, its name, its value without escapes, and the language it is in."""

    name: str
    value: str
    namespace: str = CORE
    lang: str = ""


@attrs.frozen(kw_only=True)
class Cpim:
    """A CPIM message: its headers in order, and the content with MIME headers of its own."""

    headers: tuple[CpimHeader, ...]
    content: Entity

    def all(self, name: str, namespace: str = CORE) -> list[CpimHeader]:
        """The headers of this name."""
        return [header for header in self.headers if header.name == name and header.namespace == namespace]

    def first(self, name: str, namespace: str = CORE) -> str:
        """The value of the first header of this name, empty where there is none."""
        return next((one.value for one in self.headers if one.name == name and one.namespace == namespace), "")

    @property
    def sender(self) -> str:
        """The URI of From, empty where there is none."""
        return uri_of(self.first("From"))

    @property
    def sent_at(self) -> float | None:
        """DateTime in seconds since the epoch; None where it is missing or none (RFC 3339)."""
        return moment_of(self.first("DateTime"))

    def unknown(self) -> list[str]:
        """What the message requires and is not known here (section 4.7), in its own words."""
        return [one.value for one in self.headers if one.namespace == CORE and one.name == "Require" and one.value]


def uri_of(value: str) -> str:
    """The URI of a From, To or route: what stands in angle brackets, or all of it."""
    before, bracket, rest = value.rpartition("<")
    return rest.partition(">")[0].strip() if bracket and (before or rest) else value.strip()


def moment_of(value: str) -> float | None:
    """A date of RFC 3339 in seconds since the epoch, UTC where it names no zone; None where it is none."""
    if not value or len(value) > 64:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def format_moment(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 has it, in UTC.

    Raises:
        SipBuildError: it is no point in time that has a year of four digits.
    """
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise SipBuildError(f"CPIM: {seconds!r} is no point in time") from error
    digits = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=digits).replace("+00:00", "Z")


def parse_cpim(data: bytes) -> Cpim:
    """Reads a CPIM message: its headers, an empty line, one MIME entity.

    Core headers are known without regard to case, as clients write them. What `Cpim.unknown` then tells are the names
    in Require that nothing is known of.

    Raises:
        SipSyntaxError: headers or entity are missing, too long, not UTF-8, or of a namespace that is not declared.
    """
    head, rest = split_head(data, "CPIM")
    spaces: dict[str, str] = {}
    default = CORE
    headers: list[CpimHeader] = []
    for written, value in read_headers(head, "CPIM"):
        prefix, dot, name = written.partition(".")
        if not dot and written.lower() == "ns":
            found = _NS.fullmatch(value)
            if found is None:
                raise SipSyntaxError("CPIM: NS names no namespace")
            if found[1]:
                spaces[found[1]] = found[2]
            else:
                default = found[2]
        elif not dot and written.lower() == "require":
            headers += _required(value, spaces, default)
        elif dot:
            if prefix not in spaces:
                raise SipSyntaxError(f"CPIM: the namespace of {written[:40]!a} is not declared")
            headers.append(_header(name, value, spaces[prefix]))
        else:
            known = _NAMES.get(written.lower())
            # RFC 3862 section 4.6 lets NS change what a bare name means; core names are taken as such all the same, for
            # a From under another meaning would be a From that is not checked.
            headers.append(_header(known or written, value, CORE if known else default))
    return Cpim(headers=tuple(headers), content=read_entity(rest, "CPIM"))


def _header(name: str, value: str, namespace: str) -> CpimHeader:
    lang = ""
    found = _LANG.match(value)
    if found is not None:
        lang, value = found[1], found[2].strip()
    if "\\" in value and namespace == CORE and name in {"Subject", "From", "To", "cc"}:
        value = _ESCAPE.sub(_unescaped, value)
    return CpimHeader(name, value, namespace, lang)


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if len(code) == 5:
        return chr(int(code[1:], 16))
    return _ESCAPED.get(code, code)


def _required(value: str, spaces: dict[str, str], default: str) -> list[CpimHeader]:
    """Returns a Require header for each name that is not known here."""
    unknown: list[CpimHeader] = []
    for written in value.split(","):
        text = written.strip()
        prefix, dot, name = text.partition(".")
        namespace = spaces.get(prefix, "?") if dot else default
        key = (namespace, name if dot else _NAMES.get(text.lower(), text))
        if text and key not in _KNOWN and (dot or text.lower() not in _NAMES):
            unknown.append(CpimHeader("Require", text))
    return unknown


def build_cpim(headers: Iterable[CpimHeader], content_type: str, body: bytes, *, disposition: str = "") -> bytes:
    """Writes a CPIM message. Values are escaped (RFC 3862 section 2.3), so that none of them can be two headers.

    Args:
        headers: in order; those of `IMDN` get the prefix ``imdn``.
        content_type: of the content.
        body: its octets.
        disposition: its Content-Disposition, if any.

    Raises:
        SipBuildError: a header of a namespace other than `CORE` and `IMDN`, a name that is none, a line end in
            ``content_type`` or ``disposition``.
    """
    lines: list[str] = []
    declared = False
    for header in headers:
        if not re.fullmatch(r"[A-Za-z0-9-]+", header.name) or header.namespace not in {CORE, IMDN}:
            raise SipBuildError(f"CPIM: {header.name[:40]!a} is no header of a namespace that is written here")
        prefix = ""
        if header.namespace == IMDN:
            prefix = "imdn."
            if not declared:
                lines.append(f"NS: imdn <{IMDN}>")
                declared = True
        lang = f";lang={header.lang} " if re.fullmatch(r"[A-Za-z0-9-]{1,35}", header.lang) else " "
        lines.append(f"{prefix}{header.name}:{lang}{escape(header.value)}")
    for value in (content_type, disposition):
        if not value.isprintable():
            raise SipBuildError("CPIM: a control character in a header of the content")
    mime = [f"Content-Type: {content_type}"]
    if disposition:
        mime.append(f"Content-Disposition: {disposition}")
    mime.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", *mime, "", ""]).encode() + body


def escape(value: str) -> str:
    """A header value in which no control character, line end or half of a surrogate pair stands as itself."""
    return _TO_ESCAPE.sub(_escape, value.strip(" "))


def _escape(found: re.Match[str]) -> str:
    code = found[0]
    if code == "\\":
        return "\\\\"
    return "\\ufffd" if "\ud800" <= code <= "\udfff" else f"\\u{ord(code):04x}"


def format_address(uri: str, display_name: str = "") -> str:
    """From, To and their like: a name in quotation marks, if there is one, and the URI in angle brackets.

    Quotation marks and backslashes of the name are left out: a reader that takes escapes for themselves must not see
    another URI than the one that is written.

    Raises:
        SipBuildError: the URI has a blank, a control character or an angle bracket, or is too long.
    """
    if not _URI.fullmatch(uri):
        raise SipBuildError(f"CPIM: {uri[:80]!a} is no URI that can be written")
    name = "".join(char for char in display_name if char not in '"\\<>').strip()
    return f'"{name}" <{uri}>' if name else f"<{uri}>"
