"""What recorded clients said to a real server is said to ours: its answers have the same shape and the same content."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.kit.oscar_server.network import Config
from tests.kit.oscar_server.rating import AOL
from tests.kit.oscar_server.session import GROUPS
from tests.unit.oscar_server.harness import START, Client, Server, snacs
from transports.oscar.wire import bucp, buddy, feedbag, icbm, icq, locate, oservice
from transports.oscar.wire.flap import DATA, SIGNOFF, SIGNON, FlapFrame, FlapFramer, SignonFrame
from transports.oscar.wire.names import normal
from transports.oscar.wire.registry import decode_body
from transports.oscar.wire.roast import md5_response
from transports.oscar.wire.snac import FROM_SERVER, Body, SnacFrame, TlvBody
from transports.oscar.wire.tlv import Tlvs
from transports.oscar.wire.userinfo import BART, CAPS, IDLE, UserInfo

FOLDER = Path(__file__).parents[2] / "wire" / "oscar"
RECORDED = sorted(path for path in FOLDER.glob("*.txt") if path.read_text().startswith("account "))
PROBED = sorted(path for path in FOLDER.glob("*.txt") if path not in RECORDED)


def login_request(frame: SnacFrame, key: bytes, password: str) -> bytes:
    """A recorded 17/02 with the digest that our challenge wants."""
    tlvs = Tlvs.decode(frame.data)
    digest = md5_response(password.encode(), key, hashed=tlvs.has(bucp.MD5_OF_MD5))
    body = tlvs.with_(bucp.DIGEST, digest).encode()
    return SnacFrame(group=0x17, kind=2, request_id=frame.request_id, data=body).encode()


def shape(body: Body) -> object:
    """What is compared of a body: everything that does not depend on the server's own choices."""
    if isinstance(body, oservice.HostOnline | oservice.ClientVersions):
        return "said"
    if isinstance(body, oservice.HostVersions):
        return {group: version for group, version in body.versions if group in GROUPS}
    if isinstance(body, oservice.RatesReply):
        # Some of these sessions were recorded with the classes wide open: the numbers are the rate tests' matter.
        return [each.id for each in body.classes]
    if isinstance(body, oservice.SelfInfo | buddy.Arrived | buddy.Departed):
        return [user_shape(user) for user in body.users]
    if isinstance(body, locate.InfoReply):
        # how the other one was at that moment is a race: what is told must agree with itself
        tags = [tag for tag, _ in body.user.tlvs if tag not in {CAPS, IDLE, BART}]
        told = [tag for tag, _ in body.tlvs]
        return normal(body.user.name), tags, told == ([locate.AWAY_MIME, locate.AWAY] if body.user.away else [])
    if isinstance(body, feedbag.ListReply):
        return {(item.group_id, item.item_id, item.class_id, item.name) for item in body.items}
    if isinstance(body, icq.IcqReply):
        return body.uin, body.type, body.sequence, body.data if body.type == icq.OFFLINE_MESSAGE else b""
    if isinstance(body, icbm.IncomingMessage):
        texts = [item for item in body.tlvs if item[0] != icbm.TLV_SEND_TIME]
        return body.cookie, body.channel, normal(body.sender.name), texts
    if isinstance(body, bucp.LoginResponse):
        return [tag for tag, _ in body.tlvs if tag in {1, 5, 6, 8}], body.tlvs.get(bucp.ERROR)
    if isinstance(body, TlvBody | bucp.Challenge | oservice.Motd):
        return "said"
    return body


def user_shape(user: UserInfo) -> object:
    tags = [tag for tag, _ in user.tlvs if tag not in {CAPS, BART}]  # this server keeps no icons
    return normal(user.name), user.warning, tags, user.user_class, user.status, user.idle_minutes


# -- recordings of the bridge's own client, both directions whole


class Recording:
    """One client's recording; the others in it are played from what the real server told of them."""

    def __init__(self, path: Path) -> None:
        head, *self.lines = path.read_text().splitlines()
        _, self.account, self.password, *_ = head.split()
        self.wanted: defaultdict[int, list[FlapFrame]] = defaultdict(list)
        self.said: defaultdict[int, list[FlapFrame]] = defaultdict(list)
        self._in: defaultdict[int, FlapFramer] = defaultdict(FlapFramer)
        self._out: defaultdict[int, FlapFramer] = defaultdict(FlapFramer)
        self.steps = list(self._steps())
        self.server = Server(config=Config(rates=AOL, max_message=512))
        self.clients: dict[int, Client] = {}
        self.got: defaultdict[int, list[FlapFrame]] = defaultdict(list)
        self.others: dict[str, Client] = {}
        self._key = b""

    def _steps(self) -> list[tuple[float, str, int, FlapFrame]]:
        steps = []
        at = 0.0
        for line in self.lines:
            words = line.split(" ", 3)
            at = max(at, float(words[0]))
            if words[1] in {"C>", "S<"}:
                conn = int(words[2])
                framers = self._out if words[1] == "C>" else self._in
                frames = framers[conn].feed(bytes.fromhex(words[3]))
                steps += [(at, words[1], conn, frame) for frame in frames]
        return steps

    def run(self) -> None:
        self._accounts()
        for index, (at, direction, conn, frame) in enumerate(self.steps):
            self.server.clock.pass_(max(0.0, START + at - self.server.clock.now))
            if direction == "S<":
                self.wanted[conn].append(frame)
                self._what_others_did(frame, index)
            else:
                self.got[conn] += self._client(conn).frame(frame.channel, self._adapted(frame))
            for number, client in self.clients.items():
                self.got[number] += client.frames()

    def _client(self, conn: int) -> Client:
        if conn not in self.clients:
            self.clients[conn] = self.server.client()
            self.got[conn] += self.clients[conn].frames()
        return self.clients[conn]

    def _accounts(self) -> None:
        accounts = self.server.network.accounts
        wrong = any(
            isinstance(body, bucp.LoginResponse) and body.tlvs.has(bucp.ERROR) for body in bodies(self.steps, "S<")
        )
        mine = accounts.add(self.account, "another" if wrong else self.password, where="test")
        for body in bodies(self.steps, "S<"):
            if isinstance(body, feedbag.ListReply):
                mine.items = {(item.group_id, item.item_id): item for item in body.items}
                break
        for name in {normal(body.to) for body in bodies(self.steps, "C>") if isinstance(body, icbm.SendMessage)}:
            if not name.startswith(("nobody", "9999")) and accounts.find(name) is None:
                self._add(name)

    def _add(self, name: str) -> None:
        must_ask = any(
            isinstance(body, feedbag.EditStatus) and feedbag.NEEDS_AUTHORIZATION in body.words
            for body in bodies(self.steps, "S<")
        )
        self.server.network.accounts.add(name, "x", where="test", requires_authorization=must_ask)

    def _other(self, name: str) -> Client:
        held = self.others.get(normal(name))
        if held is None or held.closed:
            if self.server.network.accounts.find(name) is None:
                self._add(name)
            held = self.others[normal(name)] = self.server.online(name)
        return held

    def _what_others_did(self, frame: FlapFrame, index: int) -> None:
        if frame.channel != DATA:
            return
        snac = SnacFrame.decode(frame.payload)
        if not snac.request_id & FROM_SERVER:
            return
        body = decode_body(snac)
        if isinstance(body, buddy.Arrived):
            self._show(body.users[0], index)
        elif isinstance(body, feedbag.AuthorizationAnswered):
            other = self._other(body.name)
            other.say(feedbag.AuthorizationReply(name=self.account, accepted=body.accepted, reason=body.reason))
        elif isinstance(body, buddy.Departed):
            self._other(body.users[0].name).hang_up()
            del self.others[normal(body.users[0].name)]

    def _show(self, user: UserInfo, index: int) -> None:
        """Another one shows itself as the real server told; the away message is the one that is asked for later."""
        other = self._other(user.name)
        shown = self.server.network.residents[normal(user.name)]
        if user.status != shown.status:
            other.say(oservice.SetStatus(Tlvs([(oservice.TLV_STATUS, user.status.to_bytes(4, "big"))])))
        if user.idle_minutes or shown.idle_since is not None:
            other.say(oservice.Idle(user.idle_minutes * 60))
        if user.away != bool(shown.away):
            texts = [
                body.tlvs.get(locate.AWAY)
                for body in bodies(self.steps[index:], "S<")
                if isinstance(body, locate.InfoReply) and normal(body.user.name) == normal(user.name)
            ]
            away = (texts[0] if texts else b"away") or b""
            other.say(locate.SetInfo(Tlvs([(locate.AWAY, away if user.away else b"")])))

    def _adapted(self, frame: FlapFrame) -> bytes:
        if frame.channel == SIGNON:
            signon = SignonFrame.decode(frame.payload)
            if not signon.tlvs.has(bucp.COOKIE):
                return frame.payload
            account = self.server.network.accounts.find(self.account)
            assert account is not None
            return SignonFrame(tlvs=signon.tlvs.with_(bucp.COOKIE, self.server.network.cookie(account))).encode()
        if frame.channel == DATA and frame.payload[:4] == b"\0\x17\0\2":
            (key,) = (
                body.key
                for body in (decode_body(each) for each in snacs(self.got[max(self.got)]))
                if isinstance(body, bucp.Challenge)
            )
            return login_request(SnacFrame.decode(frame.payload), key, self.password)
        return frame.payload


def bodies(steps: list[tuple[float, str, int, FlapFrame]], direction: str) -> list[Body]:
    return [
        decode_body(SnacFrame.decode(frame.payload))
        for _, each, _, frame in steps
        if each == direction and frame.channel == DATA
    ]


def answers(frames: list[FlapFrame]) -> dict[int, list[tuple[tuple[int, int], object]]]:
    """Each request's answers in their order."""
    found: defaultdict[int, list[tuple[tuple[int, int], object]]] = defaultdict(list)
    for snac in snacs(frames):
        # typing comes with the number that its sender gave it
        if not snac.request_id & FROM_SERVER and snac.request_id and (snac.group, snac.kind) != (4, 0x14):
            body = decode_body(snac)
            found[snac.request_id].append(((snac.group, snac.kind), shape(body)))
    return dict(found)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_clients_get_the_same_answers(path: Path) -> None:
    recording = Recording(path)
    recording.run()
    assert recording.wanted
    for conn, wanted in recording.wanted.items():
        assert answers(recording.got[conn]) == answers(wanted)


# -- two clients of others' making in one capture; what is long is cut off in it


LINE = re.compile(r" *[0-9.]+ ([CS][<>]|--) \[(\w+ \w)\] (.*)")
SNAC = re.compile(r"SNAC (\w\w)/(\w\w) flags=(\w+) id=(\d+)  len=(\d+) (\w*)(\.\.\.)?")


class Probe:
    """Both clients of a capture, in the capture's order."""

    def __init__(self, path: Path) -> None:
        self.lines = [match.groups() for match in map(LINE.match, path.read_text().splitlines()) if match]
        names = [
            bytes.fromhex(line[2].rsplit(" ", 1)[1])[4:].decode() for line in self.lines if "SNAC 17/06" in line[2]
        ]
        self.names = dict(zip("ab", names, strict=True))
        self.server = Server(*names, config=Config(rates=AOL, max_message=512))
        for name, other in (names, names[::-1]):
            account = self.server.network.accounts.find(name)
            assert account is not None
            account.put_on_list([other])
        self.clients: dict[str, Client] = {}
        self.wanted: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
        self.got: defaultdict[str, list[SnacFrame]] = defaultdict(list)

    def run(self) -> None:
        for direction, label, what in self.lines:
            if direction == "--":
                self.clients[label] = self.server.client()
            elif direction == "C>":
                self._client(label, what)
            elif (match := SNAC.match(what)) is not None:
                group, kind, _, request_id, _, _, _ = match.groups()
                if (group, kind) == ("03", "0c"):
                    self.clients["bos a"].hang_up()
                self.wanted[label].append((int(group, 16), int(kind, 16), int(request_id)))
            for name, client in self.clients.items():
                self.got[name] += snacs(client.frames())

    def _client(self, label: str, what: str) -> None:
        client = self.clients[label]
        match = SNAC.match(what)
        if match is None:
            tlvs = []
            if label.startswith("bos"):
                account = self.server.network.accounts.find(self.names[label[-1]])
                assert account is not None
                tlvs = [(bucp.COOKIE, self.server.network.cookie(account))]
            self.got[label] += snacs(client.frame(SIGNON, SignonFrame(tlvs=Tlvs(tlvs)).encode()))
            return
        group, kind, flags, request_id, length, data, cut = match.groups()
        payload = bytes.fromhex(data)
        if (group, kind) == ("17", "02"):
            (key,) = (bucp.Challenge.decode(each.data).key for each in self.got[label] if each.kind == 7)
            name = self.names[label[-1]]
            digest = md5_response(name[::-1].encode(), key)
            payload = Tlvs([(1, name.encode()), (bucp.DIGEST, digest), (bucp.MD5_OF_MD5, b"")]).encode()
        elif (group, kind) == ("04", "06") and cut:
            # a message ends with the wish for an acknowledgement
            payload += bytes.fromhex("00030000")[len(payload) - int(length) :]
        elif cut:
            # four numbers for each food group: what is cut off is more of the same
            payload = payload[: len(payload) // 8 * 8]
        frame = SnacFrame(
            group=int(group, 16), kind=int(kind, 16), flags=int(flags, 16), request_id=int(request_id), data=payload
        )
        self.got[label] += snacs(client.frame(DATA, frame.encode()))


@pytest.mark.parametrize("path", PROBED, ids=lambda path: path.stem)
def test_captured_clients_are_answered_in_the_same_order(path: Path) -> None:
    probe = Probe(path)
    probe.run()
    assert set(probe.wanted) == {"auth a", "bos a", "auth b", "bos b"}
    for label, wanted in probe.wanted.items():
        assert [(each.group, each.kind, each.request_id) for each in probe.got[label]] == in_order(wanted)


def in_order(wanted: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """That server sends its greeting when it finds time; ours directly after 01/18."""
    greeting = [each for each in wanted if each[:2] == (1, 0x13)]
    rest = [each for each in wanted if each[:2] != (1, 0x13)]
    at = next((index for index, each in enumerate(rest, 1) if each[:2] == (1, 0x18)), 0)
    return rest[:at] + greeting + rest[at:]


def test_the_older_session_is_ended_as_recorded() -> None:
    recording = Recording(FOLDER / "aim-stored-and-kicked.txt")
    recording.run()
    recording.server.online(recording.account)
    frames = recording.clients[2].frames()
    (wanted,) = (frame for frame in recording.wanted[2] if frame.channel == SIGNOFF)
    (got,) = (frame for frame in frames if frame.channel == SIGNOFF)
    reasons = [Tlvs.decode(frame.payload).get(9) for frame in (got, wanted)]
    # one byte there, two from others; clients read both
    assert [int.from_bytes(reason or b"", "big") for reason in reasons] == [1, 1]
