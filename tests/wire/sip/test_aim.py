"""What this bridge and real clients said of a real contact on AIM: aim-CLIENT-TRANSPORT.txt, as `transcript` has it.

Four clients in one trial: JsSIP 3.13.8 in Chromium, baresip, linphone and libpurple's SIMPLE. The contact was
libpurple's AIM at an Open OSCAR Server. All saw each other; the contact came, wrote and was written to, composed, went
away, came back, was idle, came back, and left; then the clients left one after another. In aim-linphone-udp, of another
such trial, linphone watches all of them with one SUBSCRIBE (RFC 5367).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.lists import read_related, read_rlmi
from tests.kit.watchers import inflated
from tests.wire.sip.test_bridge import Said, check_messages, read, requests
from tests.wire.sip.transcript import HERE
from transports.sip.wire.cpim import parse_cpim
from transports.sip.wire.imdn import parse_imdn
from transports.sip.wire.iscomposing import parse_iscomposing
from transports.sip.wire.message import Request, Response
from transports.sip.wire.pidf import Pidf, parse_pidf
from transports.sip.wire.rlmi import MULTIPART

FILES = tuple(sorted(HERE.glob("aim-*.txt")))
CLIENTS = {
    "aim-baresip-udp": "bob", "aim-jssip-ws": "alice", "aim-libpurple-tcp": "dave", "aim-linphone-tcp": "carol",
    "aim-linphone-udp": "carol",
}  # fmt: skip
TEXT = "grüße 日本 😀 & <2>"
FRIEND = "sip:theboogyman@aim.example.test"
COMPOSING = "application/im-iscomposing+xml"


def _media(message: Request) -> str:
    return "" if message.content_type is None else message.content_type.media_type


def _documents(notify: Request) -> list[Pidf]:
    """What a NOTIFY tells, of one person or of a list."""
    if not notify.body:
        return []
    if _media(notify) != MULTIPART:
        return [parse_pidf(notify.body)]
    _, *parts = read_related(notify.first("Content-Type") or "", inflated(notify))
    return [parse_pidf(octets) for _, octets in parts]


def _seen(said: list[Said], who: str = FRIEND) -> list[Pidf]:
    """What the NOTIFYs told of somebody, in order."""
    found = [one for notify in requests(said, ours=True, method="NOTIFY") for one in _documents(notify)]
    return [document for document in found if document.entity == who]


def test_every_client_is_there() -> None:
    assert {path.stem for path in FILES} == set(CLIENTS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_message_can_be_read_and_written(path: Path) -> None:
    check_messages(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("ours", [True, False])
def test_every_request_was_answered(path: Path, ours: bool) -> None:
    """All but what a client was told, or said itself, as it went."""
    said = read(path)
    answers: dict[tuple[str | None, str, str | None], int] = {}
    for mine, message in said:
        if mine is not ours and isinstance(message, Response) and message.status >= 200:
            answers[message.top_via.branch, str(message.cseq), message.first("From")] = message.status
    asked = [message for mine, message in said if mine is ours and isinstance(message, Request)]
    left = [one for one in asked if (one.top_via.branch, str(one.cseq), one.first("From")) not in answers]
    assert {one.method for one in left} <= {"NOTIFY", "SUBSCRIBE", "PUBLISH", "REGISTER"}, left
    assert set(answers.values()) <= ({200, 415, 481} if ours else {200, 202, 401, 407}), answers


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_texts_went_through_as_they_were(path: Path) -> None:
    said, user = read(path), CLIENTS[path.stem]
    for ours, text in ((True, f"{TEXT} AIM to {user}"), (False, f"{TEXT} {user} to AIM")):
        sent = [one for one in requests(said, ours=ours, method="MESSAGE") if one.body == text.encode()]
        assert len({one.call_id for one in sent}) == 1  # the client's came again, with credentials
        assert {str(one.from_.uri if ours else one.to.uri) for one in sent} == {FRIEND}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_contact_came_went_away_came_back_was_idle_and_left(path: Path) -> None:
    """RFC 3863, 4480: each client is told the same; what it can show of that is its own."""
    steps: list[tuple[str, tuple[str, ...], str | None, bool]] = []
    for document in _seen(read(path)):
        person = document.person
        assert person is not None
        idle = person.last_input is not None
        step = (document.basic, person.activities, document.first_note, idle)
        if step == ("open", ("away",), None, False):
            continue  # AIM says that somebody is away, and why when it is asked
        if not steps or steps[-1] != step:
            steps.append(step)
    assert steps[-7:] == [
        ("closed", (), None, False),
        ("open", (), None, False),
        ("open", ("away",), "gone fishing", False),
        ("open", (), None, False),
        ("open", (), None, True),
        ("open", (), None, False),
        ("closed", (), None, False),
    ]  # fmt: skip


@pytest.mark.parametrize("path", [path for path in FILES if "baresip" not in path.stem], ids=lambda path: path.stem)
def test_the_contact_composed(path: Path) -> None:
    told = [one for one in requests(read(path), ours=True, method="MESSAGE") if _media(one) == COMPOSING]
    states = [parse_iscomposing(one.body).state for one in told if str(one.from_.uri) == FRIEND]
    assert states[0] == "active"
    assert "idle" in states


def test_who_takes_no_typing_is_told_none() -> None:
    told = requests(read(HERE / "aim-baresip-udp.txt"), ours=True, method="MESSAGE")
    assert {_media(one) for one in told} == {"text/plain"}


@pytest.mark.parametrize("name", ["aim-jssip-ws", "aim-libpurple-tcp"])
def test_the_client_composed(name: str) -> None:
    said = requests(read(HERE / f"{name}.txt"), ours=False, method="MESSAGE")
    states = [parse_iscomposing(one.body).state for one in said if _media(one) == COMPOSING]
    assert "active" in states


def test_receipts_where_they_can() -> None:
    ours = requests(read(HERE / "aim-jssip-ws.txt"), ours=True, method="MESSAGE")
    notices = [parse_imdn(parse_cpim(one.body).content.body) for one in ours if _media(one) == "message/cpim"]
    told = {(notice.message_id, notice.status) for notice in notices}
    assert ("m-carol", "delivered") in told  # linphone's own word
    assert ("m-aim", "processed") in told  # AOL's acknowledgement: the network has it
    assert ("m-aim", "delivered") not in told


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_clients_saw_each_other(path: Path) -> None:
    said = read(path)
    for other in set(CLIENTS.values()) - {CLIENTS[path.stem]}:
        assert "open" in [document.basic for document in _seen(said, f"sip:{other}@example.test")], other


def test_linphones_list() -> None:
    """RFC 5367, 4662: one SUBSCRIBE with a deflated body, and NOTIFYs whose versions count up, the first one whole."""
    said = read(HERE / "aim-linphone-udp.txt")
    asked = requests(said, ours=False, method="SUBSCRIBE")
    assert {one.to.uri.aor for one in asked} == {"rls@example.test"}
    assert {one.first("Content-Encoding") for one in asked if one.body} == {"deflate"}
    versions: dict[int, bool] = {}
    for notify in requests(said, ours=True, method="NOTIFY"):
        assert (notify.first("Event"), notify.first("Require")) == ("Presence", "eventlist")
        (_, document), *parts = read_related(notify.first("Content-Type") or "", inflated(notify))
        told = read_rlmi(document, {head["Content-Id"].strip("<>"): octets for head, octets in parts})
        versions[told.version] = told.full
    assert list(versions) == list(range(len(versions)))
    assert versions[0]
