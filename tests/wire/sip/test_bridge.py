"""What this bridge and real clients said to each other: bridge-CLIENT-TRANSPORT.txt, in the form of `transcript`.

Each client registered, published, watched alice, got a text and a typing notice, wrote one, saw alice leave and left
itself. Octets that are no text stand as `base64 ...`.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from tests.wire.sip.transcript import HERE
from transports.sip.wire.message import (
    Message,
    Request,
    Response,
    parse_message,
    validate_request,
    validate_response,
)
from transports.sip.wire.pidf import parse_pidf

FILES = tuple(sorted(HERE.glob("bridge-*.txt")))
_MARK = re.compile(r"^--- [0-9.]+ s (?:UDP|TCP|WS) ([0-9]+) > ([0-9]+)$", re.MULTILINE)
_LENGTH = re.compile(r"^Content-Length:[ ]*([0-9]+)[ ]*$", re.IGNORECASE | re.MULTILINE)
Said = tuple[bool, Message]


def read(path: Path) -> list[Said]:
    """The messages of a transcript, and whether the bridge sent them."""
    text = path.read_text("utf-8")
    marks = list(_MARK.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    server = marks[0][2]
    return [(m[1] == server, _message(text[m.end() + 1 : end])) for m, end in zip(marks, ends, strict=True)]


def _message(text: str) -> Message:
    head, _, body = text.partition("\n\n")
    length = _LENGTH.search(head)
    octets = base64.b64decode(body[7:].strip()) if body.startswith("base64 ") else body.encode()
    if length is None or length[1] == "0":
        octets = b""
    elif int(length[1]) > len(octets) or octets[int(length[1]) :].strip(b"\n"):
        octets = octets.replace(b"\n", b"\r\n")[: int(length[1])]
    else:
        octets = octets[: int(length[1])]
    return parse_message(head.strip("\n").encode().replace(b"\n", b"\r\n") + b"\r\n\r\n" + octets)


def check_messages(path: Path) -> None:
    """Every message of a transcript is valid, and the same when it is written and read again."""
    for _, message in read(path):
        if isinstance(message, Request):
            validate_request(message)
        else:
            assert isinstance(message, Response)
            validate_response(message)
        again = parse_message(message.to_bytes())
        assert (again.start_line(), again.body) == (message.start_line(), message.body)


def requests(said: list[Said], *, ours: bool, method: str) -> list[Request]:
    """The requests of one side."""
    return [m for mine, m in said if mine is ours and isinstance(m, Request) and m.method == method]


def test_every_client_is_there() -> None:
    assert [path.stem for path in FILES] == [
        "bridge-baresip-tcp",
        "bridge-baresip-udp",
        "bridge-libpurple-tcp",
        "bridge-linphone-tcp",
        "bridge-linphone-udp",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_message_can_be_read_and_written(path: Path) -> None:
    check_messages(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_request_of_a_client_was_answered(path: Path) -> None:
    """libpurple closes its connection as soon as it has sent its last ones."""
    said = read(path)
    answered: set[tuple[str | None, str, str | None]] = set()
    for mine, message in said:
        if mine and isinstance(message, Response):
            answered.add((message.top_via.branch, str(message.cseq), message.first("From")))
            assert message.status in {200, 202, 401, 407}, message.start_line()
    open_ = [
        message.method
        for mine, message in said
        if not mine
        and isinstance(message, Request)
        and (message.top_via.branch, str(message.cseq), message.first("From")) not in answered
    ]
    assert open_ == [] or (path.stem == "bridge-libpurple-tcp" and set(open_) <= {"SUBSCRIBE", "PUBLISH", "REGISTER"})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_clients_took_what_the_bridge_sent(path: Path) -> None:
    """All but baresip take typing notices; it has ended its watch when the last NOTIFY comes, as linphone has."""
    said = read(path)
    for method in ("MESSAGE", "NOTIFY"):
        sent = {(m.top_via.branch, str(m.cseq)) for m in requests(said, ours=True, method=method)}
        assert sent
        took = {
            (m.top_via.branch, str(m.cseq)): m.status
            for mine, m in said
            if not mine and isinstance(m, Response) and m.cseq.method == method
        }
        assert took.keys() <= sent
        statuses = [took[key] for key in sent if key in took]
        assert 200 in statuses
        assert set(statuses) <= ({200, 415} if method == "MESSAGE" else {200, 481})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_texts_went_through_as_they_were(path: Path) -> None:
    said = read(path)

    def texts(*, ours: bool) -> set[str]:
        sent = requests(said, ours=ours, method="MESSAGE")
        return {
            m.body.decode() for m in sent if m.content_type is not None and m.content_type.media_type == "text/plain"
        }

    assert texts(ours=True) == {"grüße 日本 😀"}
    assert texts(ours=False) == {"zurück 👨\u200d👩\u200d👧 <b> &"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_the_bridge_says_of_presence(path: Path) -> None:
    notifies = requests(read(path), ours=True, method="NOTIFY")
    seen = [parse_pidf(message.body).basic for message in notifies if message.body]
    assert seen[0] == "open"
    assert seen[-1] == "closed"
    for message in notifies:
        assert message.has("Contact")
        assert message.first("Event") == "presence"
        assert (message.first("Subscription-State") or "").split(";")[0] in {"active", "terminated"}
    for message in requests(read(path), ours=True, method="MESSAGE"):
        assert not message.has("Contact")  # RFC 3428 section 4
        assert (message.top_via.branch or "").startswith("z9hG4bK")
