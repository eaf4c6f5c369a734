"""Fuzz: everything that reads bytes of MSNP. `MsnpSyntaxError` and `SoapFault` alone are documented."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

from transports.msnp.wire import addressbook, board, chunks, im, lists, offline, passport, presence, sso
from transports.msnp.wire.command import Command, CommandReader
from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.im import Format
from transports.msnp.wire.mime import Mime
from transports.msnp.wire.soap import SoapFault
from transports.msnp.wire.text import escape, friendly, normal, unescape

SEEDS: list[bytes] = [
    b"LST N=bob@x.test F=Bob C=id 11 1 g1,g2\r\nILN 6 BSY a@x A%20B 32\r\nNLN AWY a@x 1 A 64:0 %3Cmsnobj%3E\r\n",
    b"RNG 17 10.0.0.1:1864 CKI key bob@x.test Bob U m 1\r\nXFR 3 SB h:1 CKI k\r\n",
    b"IRO 1 1 1 b@x B 0\r\nJOI b@x;{g} B\r\n",
    b"MSG a@b c 77\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\nMessage-ID: {x}\r\nChunks: 2\r\n\r\nhi",
    b"ADL 0 44\r\n<ml><d n='x'><c n='a' l='8' t='1'/></d></ml>",
    b"UBX a@b 40\r\n<Data><PSM>a < b</PSM></Data>",
    b"<E><Membership><MemberRole>Allow</MemberRole><Member><PassportName>a@x</PassportName></Member></Membership></E>",
    b"Passport1.4 da-status=success,from-PP='t=x&p=y'",
]


def _guarded(do: Callable[[], object]) -> None:
    with contextlib.suppress(MsnpSyntaxError, SoapFault, sso.SsoRefused):
        do()


def _line(line: Command) -> None:
    payload = line.payload or b""
    for version in (8, 10, 12, 15):
        _guarded(partial(lists.read_sync, line, version))
        _guarded(partial(lists.read_entry, line, version))
        _guarded(partial(lists.read_edit, line, version))
        _guarded(partial(presence.read_status, line, version))
    for reader in (presence.read_offline, board.read_transfer, board.read_ring, board.read_participant):
        _guarded(partial(reader, line))
    _guarded(lambda: presence.read_personal(payload))
    _guarded(lambda: lists.read_members(payload))
    _guarded(lambda: _message(payload))


def _message(payload: bytes) -> None:
    message = Mime.decode(payload)
    gatherer = chunks.Gatherer()
    for _ in range(2):
        _guarded(lambda: gatherer.add("a", message))
    im.read_text(message)
    Format.decode(message.get("X-MMS-IM-Format") or "").encode()
    im.p2p_proposal(message)
    _guarded(lambda: im.Datacast.decode(message))
    _guarded(lambda: im.Invitation.decode(message))
    _guarded(lambda: offline.read_mail_data(message.get("Mail-Data") or ""))


def _stream(data: bytes, from_client: bool) -> None:
    for line in CommandReader(from_client=from_client).feed(data):
        _line(line)


def one(data: bytes) -> None:
    """Reads it in every way."""
    for from_client in (False, True):
        _guarded(partial(_stream, data, from_client))
    _guarded(lambda: _message(data))
    text = data.decode("utf-8", "replace")
    escape(unescape(text))
    friendly(text)
    if normal(normal(text)) != normal(text):
        raise AssertionError("a normal form is not its own")
    for reader in (addressbook.read_membership, addressbook.read_book, addressbook.read_added, sso.read_tickets):
        _guarded(partial(reader, data))
    for other in (offline.read_message, offline.read_metadata, offline.read_challenge):
        _guarded(partial(other, data))
    _guarded(lambda: passport.login_url(text))
    for status in (200, 302, 401):
        headers = {"authentication-info": text, "location": text, "www-authenticate": text}
        _guarded(partial(passport.read_login, status, "https://h/", headers))
