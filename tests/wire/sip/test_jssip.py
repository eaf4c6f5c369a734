"""What this bridge and JsSIP 3.13.8 in a headless Chromium said to each other: jssip-ws.txt, jssip-wss.txt.

Both pages registered and watched each other, baresip, linphone, libpurple and a contact on AIM; they wrote to all of
these and were written to. Over ws the page composed, asked linphone and AIM for receipts in CPIM, and saw the contact
go away, idle, leave, and the other page leave. Both signed off.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wire.sip.test_bridge import Said, check_messages, read, requests
from tests.wire.sip.transcript import HERE
from transports.sip.wire.cpim import parse_cpim
from transports.sip.wire.imdn import parse_imdn
from transports.sip.wire.message import Request, Response
from transports.sip.wire.pidf import parse_pidf

FILES = tuple(sorted(HERE.glob("jssip-*.txt")))
TEXT = "grüße 日本 😀 & <2>"
FRIEND = "theboogyman@aim.example.test"


def _media(message: Request) -> str:
    return "" if message.content_type is None else message.content_type.media_type


def _texts(said: list[Said], *, ours: bool) -> set[str]:
    found = requests(said, ours=ours, method="MESSAGE")
    return {message.body.decode() for message in found if _media(message) == "text/plain"}


def test_both_are_there() -> None:
    assert [path.stem for path in FILES] == ["jssip-ws", "jssip-wss"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_message_can_be_read_and_written(path: Path) -> None:
    check_messages(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("ours", [True, False])
def test_every_request_was_answered(path: Path, ours: bool) -> None:
    """All but what the page said last: it closes the WebSocket without waiting."""
    said = read(path)
    answers: dict[tuple[str | None, str], int] = {}
    for mine, message in said:
        if mine is not ours and isinstance(message, Response) and message.status >= 200:
            answers[message.top_via.branch, str(message.cseq)] = message.status
    asked = [message for mine, message in said if mine is ours and isinstance(message, Request)]
    open_ = [one for one in asked if (one.top_via.branch, str(one.cseq)) not in answers]
    assert {one.method for one in open_} <= {"NOTIFY", "SUBSCRIBE"}, open_
    assert set(answers.values()) <= ({200} if ours else {200, 202, 401, 407}), answers


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_one_challenge_with_md5_serves_everything(path: Path) -> None:
    """JsSIP reads the first challenge alone; its nonce is used again, in Proxy-Authorization too."""
    challenged = [
        message.first("WWW-Authenticate") or message.first("Proxy-Authenticate") or ""
        for mine, message in read(path)
        if mine and isinstance(message, Response) and message.status in {401, 407}
    ]
    assert challenged
    assert all("algorithm=MD5" in one and one.count("Digest") == 1 for one in challenged)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_page_is_given_gruus_and_uses_them(path: Path) -> None:
    said = read(path)
    (registered, *_) = [
        message
        for mine, message in said
        if mine and isinstance(message, Response) and message.cseq.method == "REGISTER" and message.status == 200
    ]
    contact = registered.first("Contact") or ""
    assert "pub-gruu=" in contact
    assert "temp-gruu=" in contact
    assert registered.first("Require") == "outbound"
    watching = [m for m in requests(said, ours=False, method="SUBSCRIBE") if ";gr=" in str(m.contacts[0])]
    assert watching, "the page gives its GRUU as Contact"
    # They go to where the device is, while it is registered.
    notified = requests(said, ours=True, method="NOTIFY")
    assert notified[0].uri_text.endswith(".invalid;transport=ws")


@pytest.mark.parametrize(("name", "user"), [("jssip-ws", "alice"), ("jssip-wss", "bob")])
def test_texts_went_through_as_they_were(name: str, user: str) -> None:
    said = read(HERE / f"{name}.txt")
    others = {"carol", "dave", "eve"}
    came, went = _texts(said, ours=True), _texts(said, ours=False)
    assert {f"{TEXT} {other} to {user}" for other in others} <= came
    assert {f"{TEXT} {user} to {other}" for other in others} <= went
    assert (f"{TEXT} alice to bob" in came) == (user == "bob")
    if user == "alice":
        assert f"{TEXT} AIM to alice" in came
        assert f"{TEXT} alice to AIM" in went


def test_the_contact_came_went_away_was_idle_and_left() -> None:
    said = read(HERE / "jssip-ws.txt")
    seen = [
        parse_pidf(message.body)
        for message in requests(said, ours=True, method="NOTIFY")
        if FRIEND.encode() in message.body
    ]
    assert "open" in [one.basic for one in seen]
    assert any("away" in str(one) and "gone fishing" in str(one) for one in seen)
    assert seen[-1].basic == "closed"


def test_composing_and_receipts() -> None:
    said = read(HERE / "jssip-ws.txt")
    ours = requests(said, ours=True, method="MESSAGE")
    assert [message for message in ours if _media(message) == "application/im-iscomposing+xml"]
    told = {
        (notice.message_id, notice.status)
        for message in ours
        if _media(message) == "message/cpim"
        for notice in [parse_imdn(parse_cpim(message.body).content.body)]
    }
    assert ("m-dave", "delivered") in told  # linphone's own word
    assert ("m-aim", "processed") in told  # AOL's acknowledgement: the network has it
