"""What this bridge and real clients say of receipts and composing: receipts-CLIENT-tcp.txt.

To each client alice was composing, wrote a text that asks for receipts, wrote HTML, got a text, and was gone.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from tests.wire.sip.test_bridge import Said, check_messages, read, requests
from tests.wire.sip.transcript import HERE
from transports.sip.wire.cpim import IMDN, parse_cpim
from transports.sip.wire.imdn import parse_imdn
from transports.sip.wire.iscomposing import parse_iscomposing
from transports.sip.wire.message import Request, Response

FILES = tuple(sorted(HERE.glob("receipts-*.txt")))
PLAIN, HTML, CPIM, COMPOSING = "text/plain", "text/html", "message/cpim", "application/im-iscomposing+xml"


def _media(request: Request) -> str:
    assert request.content_type is not None
    return request.content_type.media_type


def _messages(said: list[Said], *, ours: bool) -> list[Request]:
    return requests(said, ours=ours, method="MESSAGE")


def test_every_client_is_there() -> None:
    assert [path.stem for path in FILES] == ["receipts-baresip-tcp", "receipts-libpurple-tcp", "receipts-linphone-tcp"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_message_can_be_read_and_written(path: Path) -> None:
    check_messages(path)


@pytest.mark.parametrize(
    ("client", "sent"),
    [
        ("baresip", [PLAIN, PLAIN]),
        ("libpurple", [COMPOSING, PLAIN, HTML, COMPOSING, COMPOSING]),
        ("linphone", [COMPOSING, CPIM, PLAIN, COMPOSING, COMPOSING]),
    ],
)
def test_each_client_was_sent_what_it_takes_and_took_it(client: str, sent: list[str]) -> None:
    said = read(HERE / f"receipts-{client}-tcp.txt")
    messages = _messages(said, ours=True)
    assert [_media(message) for message in messages] == sent
    states = [parse_iscomposing(message.body).state for message in messages if _media(message) == COMPOSING]
    assert states == (["active", "active", "gone"] if COMPOSING in sent else [])
    answers = [
        message.status
        for ours, message in said
        if not ours and isinstance(message, Response) and message.cseq.method == "MESSAGE"
    ]
    assert answers == [200] * len(sent)


def test_linphone_reports_by_the_name_that_it_was_given() -> None:
    said = read(HERE / "receipts-linphone-tcp.txt")
    asked, plain = [message for message in _messages(said, ours=True) if _media(message) in {CPIM, PLAIN}]
    given = parse_cpim(asked.body)
    assert given.first("Disposition-Notification", IMDN) == "positive-delivery, negative-delivery, display"
    assert given.content.body.decode() == "grüße 日本 😀"
    reports = [m for m in _messages(said, ours=False) if _media(m) == "message/imdn+xml"]
    bodies = [zlib.decompress(m.body) if m.has("Content-Encoding") else m.body for m in reports]
    told = {report.message_id: report.status for report in map(parse_imdn, bodies)}
    assert told == {given.first("Message-ID", IMDN): "delivered", plain.call_id: "delivered"}
    assert "alices-own-name" not in asked.body.decode()


def test_libpurple_says_that_its_user_composes() -> None:
    said = read(HERE / "receipts-libpurple-tcp.txt")
    states = [parse_iscomposing(m.body).state for m in _messages(said, ours=False) if _media(m) == COMPOSING]
    assert states == ["active", "idle"]
