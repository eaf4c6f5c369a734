"""Reads message/cpim (RFC 3862): an instant message in an envelope of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from attrs import frozen

from mappings.content import ContentError

MAX_HEADERS: Final = 64
MAX_HEAD: Final = 16_384


@frozen(kw_only=True)
class Cpim:
    """What a CPIM message says. ``sender`` is the URI of its From, empty where there is none."""

    sender: str
    subject: str
    language: str
    sent_at: float | None
    message_id: str
    content_type: str
    body: bytes


def parse_cpim(data: bytes) -> Cpim:
    """Reads a CPIM message: its headers, then one MIME entity.

    Raises:
        ContentError: there is no header block or no entity, or they are too long or not UTF-8.
    """
    head, rest = _block(data)
    mime, body = _block(rest)
    headers = _headers(head)
    entity = _headers(mime)
    subject, language = _subject(headers.get("Subject", ""))
    return Cpim(
        sender=_uri(headers.get("From", "")),
        subject=subject,
        language=language,
        sent_at=_moment(headers.get("DateTime", "")),
        message_id=headers.get("imdn.Message-ID", ""),
        content_type={name.lower(): value for name, value in entity.items()}.get("content-type", "text/plain"),
        body=body,
    )


def _block(data: bytes) -> tuple[bytes, bytes]:
    for mark in (b"\r\n\r\n", b"\n\n"):
        at = data.find(mark, 0, MAX_HEAD)
        if at >= 0:
            return data[:at], data[at + len(mark) :]
    raise ContentError("malformed", "a CPIM message has two blocks of headers, each with an empty line behind")


def _headers(block: bytes) -> dict[str, str]:
    try:
        lines = block.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise ContentError("malformed", "CPIM headers are UTF-8") from error
    if len(lines) > MAX_HEADERS:
        raise ContentError("malformed", f"more than {MAX_HEADERS} CPIM headers")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip(), value.strip())
    return headers


def _subject(value: str) -> tuple[str, str]:
    # Subject:;lang=fr Objet (RFC 3862 section 4.6)
    if value.startswith(";lang="):
        language, _, subject = value[6:].partition(" ")
        return subject.strip(), language
    return value, ""


def _uri(value: str) -> str:
    before, bracket, rest = value.rpartition("<")
    return rest.partition(">")[0].strip() if bracket and (before or rest) else value.strip()


def _moment(value: str) -> float | None:
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
