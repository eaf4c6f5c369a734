"""The codec: known values of the protocol's documents and of captures, and its laws."""

from __future__ import annotations

import hmac
import struct
from base64 import b64decode, b64encode
from hashlib import sha1

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from hypothesis import given
from hypothesis import strategies as st

from transports.msnp.wire import (
    addressbook,
    board,
    challenge,
    chunks,
    im,
    lists,
    offline,
    passport,
    presence,
    sso,
    text,
)
from transports.msnp.wire.codes import Lists
from transports.msnp.wire.command import Command, CommandReader, command
from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.im import Format
from transports.msnp.wire.mime import Mime
from transports.msnp.wire.soap import SoapFault


def read(data: bytes, *, from_client: bool = False) -> list[Command]:
    return list(CommandReader(from_client=from_client).feed(data))


def line(words: str) -> Command:
    (found,) = read(words.encode() + b"\r\n")
    return found


class TestCommands:
    def test_a_stream_is_cut_anywhere(self) -> None:
        data = b"VER 1 MSNP12\r\nMSG a@b c 5\r\nhelloUBX a@b 0\r\nQNG 50\r\n208 7\r\n"
        whole = read(data)
        assert [each.name for each in whole] == ["VER", "MSG", "UBX", "QNG", "208"]
        assert whole[1] == Command("MSG", ("a@b", "c"), b"hello")
        for size in (1, 2, 7):
            reader = CommandReader()
            found = [each for at in range(0, len(data), size) for each in reader.feed(data[at : at + size])]
            assert found == whole

    def test_errors_and_lists_carry_a_payload_where_a_number_follows(self) -> None:
        found = read(b"241 9 3\r\nbadADL 5 OK\r\nADL 0 4\r\n<ml>UUX 4 0\r\nQRY 7\r\n")
        assert [(each.name, each.payload) for each in found] == [
            ("241", b"bad"), ("ADL", None), ("ADL", b"<ml>"), ("UUX", b""), ("QRY", None),
        ]  # fmt: skip
        assert found[0].error == 241

    @pytest.mark.parametrize(
        "data", [b"A" * 9000, b"TOOLONG 1\r\n", b"MSG a b x\r\n", b"MSG a b 99999999\r\n", b"\xff\xfe\xfd 1\r\n"]
    )
    def test_what_is_no_command_breaks_the_stream(self, data: bytes) -> None:
        with pytest.raises(MsnpSyntaxError):
            read(data)

    @pytest.mark.parametrize("arg", ["", "two words", "line\r\nend", "nul\0"])
    def test_an_argument_that_would_break_a_line_is_refused(self, arg: str) -> None:
        with pytest.raises(MsnpSyntaxError):
            command("XFR", 1, arg).encode()

    @given(st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), max_size=4), st.binary())
    def test_what_is_written_is_read(self, args: list[str], payload: bytes) -> None:
        made = Command("MSG", ("1", "A", *args), payload)
        assert read(made.encode(), from_client=True) == [made]

    @given(st.text())
    def test_escapes_hold_any_text_in_one_argument(self, value: str) -> None:
        escaped = text.escape(value)
        assert not any(char in escaped for char in " \r\n\0")
        assert text.unescape(escaped) == value.encode("utf-8", "replace").decode()
        assert len(text.friendly(value)) <= text.MAX_FRIENDLY


class TestChallenge:
    def test_the_published_answer_of_msnp11(self) -> None:
        product = challenge.Product("PROD0090YUAUV{2B", "YMM8C_H7KCQ2S_KL")
        assert challenge.answer("22940274951814684551", product, 12) == b"ffeb4c3cf93db6a4b708b246baade0d9"

    def test_up_to_msnp10_it_is_md5(self) -> None:
        answer = challenge.answer("15570131571988941333", challenge.MSN_6, 9)
        assert answer == b"8f2f5a91b72102cd28355e9fc9000d6e"


class TestSignOn:
    def test_the_nexus_names_the_login_server(self) -> None:
        header = "DARealm=Passport.Net,DALogin=login.live.com/login2.srf,DAReg=https://x/"
        assert passport.login_url(header) == "https://login.live.com/login2.srf"
        with pytest.raises(MsnpSyntaxError):
            passport.login_url("DARealm=Passport.Net")

    def test_a_password_is_quoted(self) -> None:
        header = passport.authorization("bob@hotmail.test", "a,b=c %é", "ct=1,id=2")
        assert header.endswith("sign-in=bob%40hotmail.test,pwd=a%2Cb%3Dc%20%25%C3%A9,ct=1,id=2")
        with pytest.raises(MsnpSyntaxError):
            passport.authorization("bob@hotmail.test", "x", "ct=1\r\nX: y")

    def test_answers_of_the_login_server(self) -> None:
        url = "https://login.test/a"
        good = {"authentication-info": "Passport1.4 da-status=success,tname=MSPAuth,from-PP='t=x&p=y',ru=http://z"}
        assert passport.read_login(200, url, good).ticket == "t=x&p=y"
        assert passport.read_login(302, url, {"location": "/b"}).redirect == "https://login.test/b"
        refused = passport.read_login(401, url, {"www-authenticate": "Passport1.4 da-status=failed,cbtxt=no"})
        assert (refused.ticket, refused.reason) == ("", "no")
        for status, headers in ((500, {}), (200, {}), (302, {"location": "ftp://x"})):
            with pytest.raises(MsnpSyntaxError):
                passport.read_login(status, url, headers)

    def test_the_sealed_nonce_can_be_opened_with_the_secret(self) -> None:
        secret, nonce, iv = b64encode(bytes(range(24))).decode(), "nonce+/=" * 8, bytes(range(8))
        blob = b64decode(sso.sealed(secret, nonce, iv))
        assert struct.unpack("<7I", blob[:28]) == (28, 1, 0x6603, 0x8004, 8, 20, len(blob) - 56)
        digest, cipher = blob[36:56], blob[56:]

        def derive(magic: bytes) -> bytes:
            def mac(key: bytes, data: bytes) -> bytes:
                return hmac.new(key, data, sha1).digest()

            first = mac(bytes(range(24)), magic)
            return (
                mac(bytes(range(24)), first + magic) + mac(bytes(range(24)), mac(bytes(range(24)), first) + magic)[:4]
            )

        assert hmac.new(derive(b"WS-SecureConversationSESSION KEY HASH"), nonce.encode(), sha1).digest() == digest
        key = TripleDES(derive(b"WS-SecureConversationSESSION KEY ENCRYPTION"))
        opener = Cipher(key, modes.CBC(iv)).decryptor()
        plain = opener.update(cipher) + opener.finalize()
        assert plain == nonce.encode() + bytes([8]) * 8

    def test_wrong_credentials_and_broken_answers_of_the_token_service(self) -> None:
        fault = (
            b"<S:Envelope xmlns:S='s'><S:Fault><faultcode>wsse:FailedAuthentication</faultcode></S:Fault></S:Envelope>"
        )
        with pytest.raises(sso.SsoRefused):
            sso.read_tickets(fault)
        for body in (b"", b"<a/>", b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"):
            with pytest.raises(MsnpSyntaxError):
                sso.read_tickets(body)


class TestLists:
    @pytest.mark.parametrize(
        ("version", "words", "expected"),
        [
            (8, "LST bob@x.test Bob%20B 11 0,3", ("Bob B", "", Lists(11), ("0", "3"))),
            (10, "LST N=bob@x.test F=Bob C=id 3 g1", ("Bob", "id", Lists(3), ("g1",))),
            (12, "LST N=bob@x.test 8 1", ("", "", Lists.RL, ())),
            (12, "LST N=bob@x.test F=B C=id 11 1 g1,g2", ("B", "id", Lists(11), ("g1", "g2"))),
        ],
    )
    def test_entries_of_each_version(
        self, version: int, words: str, expected: tuple[str, str, Lists, tuple[str, ...]]
    ) -> None:
        found = lists.read_entry(line(words), version)
        assert found.passport == "bob@x.test"
        assert (found.name, found.id, found.lists, found.groups) == expected

    def test_edits_of_each_version(self) -> None:
        bob = "bob@x.test"
        assert lists.read_edit(line(f"ADD 0 RL 5 {bob} Bob%20B"), 9).passport == bob
        assert lists.read_edit(line(f"REM 4 AL 6 {bob}"), 9) == lists.Edit(added=False, lists=Lists.AL, passport=bob)
        assert lists.read_edit(line(f"ADC 0 RL N={bob} F=B"), 12).name == "B"
        assert lists.read_edit(line("REM 4 FL some-guid"), 12).id == "some-guid"
        assert lists.add(3, 9, Lists.FL, bob).encode() == b"ADD 3 FL bob@x.test bob@x.test 0\r\n"
        assert lists.add(3, 12, Lists.FL, bob).encode() == b"ADC 3 FL N=bob@x.test F=bob@x.test\r\n"
        assert lists.remove(3, 12, Lists.FL, bob, "guid").encode() == b"REM 3 FL guid\r\n"
        for words in ("ADC 0 ZZ N=x", "REM 4", "ADD 0 RL"):
            with pytest.raises(MsnpSyntaxError):
                lists.read_edit(line(words), 9)

    def test_announcements_keep_the_limit_and_lose_nobody(self) -> None:
        members = [(f"user{at:04}&<>@domain{at % 7}.test", Lists.FL | Lists.AL) for at in range(700)]
        payloads = lists.announce(members, initial=True)
        assert len(payloads) > 1
        assert all(len(payload) <= lists.MAX_LIST_PAYLOAD for payload in payloads)
        found = {entry.passport: entry.lists for payload in payloads for entry in lists.read_members(payload)}
        assert found == dict(members)
        assert lists.announce([], initial=True) == [b'<ml l="1"></ml>']

    def test_the_address_book_and_its_faults(self) -> None:
        body = (
            b"<e:E xmlns:e='e'><Membership><MemberRole>Allow</MemberRole><Members>"
            b"<Member><PassportName>a@x</PassportName></Member><Member><PassportName>gone@x</PassportName><Deleted>true</Deleted></Member></Members></Membership></e:E>"
        )
        assert addressbook.read_membership(body) == {"a@x": Lists.AL}
        fault = b"<E><Fault><faultcode>x</faultcode><errorcode>ContactAlreadyExists</errorcode></Fault></E>"
        with pytest.raises(SoapFault) as caught:
            addressbook.read_done(fault, "x")
        assert caught.value.code == "ContactAlreadyExists"


class TestPresence:
    def test_states_of_each_version(self) -> None:
        assert presence.read_status(line("ILN 6 BSY a@x A%20B 32"), 8).capabilities == 32
        assert presence.read_status(line("NLN AWY a@x A 0 %3Cmsnobj%2F%3E"), 12).status == "AWY"
        newer = presence.read_status(line("NLN AWY a@x 1 A 64:0"), 15)
        assert (newer.name, newer.capabilities) == ("A", 64)
        assert presence.read_offline(line("FLN a@x 1 0")).status == "FLN"

    def test_words_beside_a_name(self) -> None:
        payload = presence.personal(3, "a < b & c\0").payload
        assert payload is not None
        assert presence.read_personal(payload).message == "a < b & c"
        broken = b"<Data><PSM>a < b &#x26; c</PSM><CurrentMedia></CurrentMedia></Data>"
        assert presence.read_personal(broken).message == "a < b & c"
        media = rb"<Data><PSM/><CurrentMedia>\0Music\01\0{0} - {1}\0Song\0Band\0</CurrentMedia></Data>"
        assert presence.read_personal(media).media == "Song - Band"
        with pytest.raises(MsnpSyntaxError):
            presence.read_personal(b"<Data><")


class TestBoards:
    def test_ways_to_a_switchboard(self) -> None:
        ring = board.read_ring(line("RNG 17 10.0.0.1:1864 CKI key bob@x.test Bob%20B U messenger.msn.com 1"))
        assert (ring.session, ring.host, ring.port, ring.key, ring.caller, ring.name) == (
            "17", "10.0.0.1", 1864, "key", "bob@x.test", "Bob B",
        )  # fmt: skip
        assert board.read_transfer(line("XFR 3 NS 10.0.0.1 0 10.0.0.2:1863")).port == 1863
        assert board.read_participant(line("IRO 1 1 2 bob@x.test B 32")).capabilities == 32
        assert board.read_participant(line("JOI bob@x.test;{guid} B")).passport == "bob@x.test"
        for words in ("XFR 1 SB host:0 CKI k", "XFR 1 SB :5 CKI k", "XFR 1 SB h:99999 CKI k", "XFR 1"):
            with pytest.raises(MsnpSyntaxError):
                board.read_transfer(line(words))


class TestMessages:
    def test_a_format_and_back(self) -> None:
        look = Format(font="Times New Roman", effects=frozenset("BU"), colour="1a2b3c", right_to_left=True)
        assert Format.decode(look.encode()) == look
        assert Format.decode("FN=Arial; EF=; CO=ff; CS=0; PF=22").colour == "ff0000", "blue comes first"
        assert Format.decode("nonsense;;=;CO=zz") == Format()

    def test_texts_in_other_charsets(self) -> None:
        message = Mime((("Content-Type", "text/plain; charset=iso-8859-1"),), b"caf\xe9")
        assert im.read_text(message) == ("café", False)
        assert im.read_text(Mime((), b"caf\xe9")) == ("caf�", True)
        assert im.read_text(Mime((("Content-Type", "text/plain; charset=rot13"),), b"abc")) == ("abc", False)

    @given(st.text(max_size=3000), st.integers(300, 1600))
    def test_chunks_join_to_the_whole(self, said: str, limit: int) -> None:
        whole = im.text_message(said, Format(font="Arial"))
        pieces = chunks.cut(whole, "{ID}", limit)
        assert all(len(piece.encode()) <= limit for piece in pieces)
        gatherer = chunks.Gatherer()
        found = [gatherer.add("a", Mime.decode(piece.encode())) for piece in pieces]
        assert found[:-1] == [None] * (len(pieces) - 1)
        last = found[-1]
        assert last is not None
        assert last.body == whole.body
        for piece in pieces:
            piece.body.decode("utf-8")

    def test_chunks_that_do_not_fit_are_told(self) -> None:
        gatherer = chunks.Gatherer()
        for headers in ((("Message-ID", "x"), ("Chunk", "1")), (("Message-ID", "x"), ("Chunks", "0"))):
            with pytest.raises(MsnpSyntaxError):
                gatherer.add("a", Mime(headers, b""))
        for at in range(chunks.MAX_PENDING + 1):
            gatherer.add("a", Mime((("Message-ID", str(at)), ("Chunks", "2")), b"half"))
        assert [sender for sender, _ in gatherer.lost] == ["a"], "the oldest makes room, and is told"

    def test_invitations_are_answered_with_no(self) -> None:
        body = (
            b"Application-Name: File Transfer\r\nInvitation-Command: INVITE\r\nInvitation-Cookie: 33\r\n"
            b"Application-File: a.txt\r\n"
        )
        invitation = im.Invitation.decode(Mime((), body))
        assert (invitation.application, invitation.file) == ("File Transfer", "a.txt")
        assert b"Invitation-Cookie: 33\r\nCancel-Code: REJECT" in invitation.declined().body

    def test_a_stored_message(self) -> None:
        mail = (
            "From: B <bob@x.test>\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: base64\n"
            "X-OriginalArrivalTime: 23 Nov 2026 13:01:53.000 (UTC) FILETIME=[0]\n\n"
            + b64encode("wär".encode()).decode()
        )
        answer = f"<E><GetMessageResult>{mail}</GetMessageResult></E>".replace("<bob@x.test>", "&lt;bob@x.test&gt;")
        stored = offline.read_message(answer.encode())
        assert (stored.text, stored.sender, stored.sent_at) == ("wär", "bob@x.test", 1795438913)
        waiting = offline.read_mail_data("<MD><M><I>id</I><E>bob@x.test</E><N>=?utf-8?B?w6k=?=</N></M></MD>")
        assert waiting == [offline.Waiting(id="id", sender="bob@x.test", name="é")]
        assert offline.read_mail_data("too-large") is None
