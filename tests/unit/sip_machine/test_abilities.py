"""What each device takes: learnt from what it says and does, and forgotten with it (RFC 3261 20.1, RFC 3428 7)."""

import pytest

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from tests.kit.sip import DOMAIN, Client, make_endpoint
from transports.sip.machine.abilities import LEARNABLE, Abilities
from transports.sip.machine.events import SendFinished
from transports.sip.machine.flow import CloseFlow, ConnectTo, Flow
from transports.sip.machine.quirks import DEFAULT, NONE
from transports.sip.wire.message import Request, parse_message, respond_bytes
from transports.sip.wire.native import SipForm, SipMessage, SipTyping

PLAIN, HTML, CPIM, IMDN = "text/plain", "text/html", "message/cpim", "message/imdn+xml"
TYPING = "application/im-iscomposing+xml"
FRIEND = "sip:friend@aim.example.test"


def _client(agent: str | None = None, *more: tuple[str, str], **where: object) -> Client:
    client = Client(make_endpoint(), "alice", **where)  # type: ignore[arg-type]
    client.register(0.0, 3600, *([] if agent is None else [("User-Agent", agent)]), *more)
    return client


def _message(*forms: str, text: bytes = b"hi") -> SipMessage:
    first, *others = forms
    return SipMessage(
        aor=f"alice@{DOMAIN}", peer=FRIEND, call_id="", cseq=0, content_type=first, body=text,
        others=tuple(SipForm(form, text) for form in others),
    )  # fmt: skip


class Mailbox:
    """Sends messages to alice's one device and answers as it would."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.now = 1.0
        self.number = 0

    def sent(self) -> list[Request]:
        return [message for message in self.client.take(self.now) if isinstance(message, Request)]

    def kinds(
        self, *forms: str, refuses: tuple[str, ...] = (), accept: str | None = None, status: int = 415
    ) -> list[str]:
        """The types that were tried, in order, for a message of these forms; what is not refused is answered 200."""
        self.number += 1
        self.now += 1
        self.client.endpoint.send_message(_message(*forms), f"k{self.number}", self.now)
        return self._answered(refuses, accept, status)

    def typing(self, refuses: tuple[str, ...] = (), accept: str | None = None) -> list[str]:
        self.number += 1
        self.now += 100
        state = "active" if self.number % 2 else "idle"
        typing = SipTyping(aor=f"alice@{DOMAIN}", peer=FRIEND, state=state)  # type: ignore[arg-type]
        self.client.endpoint.send_typing(typing, f"k{self.number}", self.now)
        return self._answered(refuses, accept, 415)

    def _answered(self, refuses: tuple[str, ...], accept: str | None, status: int) -> list[str]:
        tried = []
        while requests := self.sent():
            (request,) = requests
            assert request.content_type is not None
            media = request.content_type.media_type
            tried.append(media)
            assert len(tried) < 9
            refused = media in refuses
            headers = (("Accept", accept),) if refused and accept is not None else ()
            answer = respond_bytes(request, status if refused else 200, to_tag="t", headers=headers)
            self.client.endpoint.receive(self.client.flow, answer, self.now)
        return tried

    def results(self) -> list[SendResult]:
        events = iter(self.client.endpoint.next_event, None)
        return [event.result for event in events if isinstance(event, SendFinished)]


def test_what_a_device_answers_415_to_is_downgraded_once_and_remembered() -> None:
    box = Mailbox(_client())
    assert box.kinds(HTML, PLAIN, refuses=(HTML,)) == [HTML, PLAIN]
    assert box.kinds(HTML, PLAIN, refuses=(HTML,)) == [PLAIN]
    assert [result.stage for result in box.results()] == [Stage.DELIVERED] * 2


@pytest.mark.parametrize("status", [415, 488])
def test_what_says_that_another_form_may_be_taken(status: int) -> None:
    assert Mailbox(_client()).kinds(HTML, PLAIN, refuses=(HTML,), status=status) == [HTML, PLAIN]


@pytest.mark.parametrize("status", [400, 403, 405, 480, 500])
def test_what_says_nothing_of_the_form(status: int) -> None:
    box = Mailbox(_client())
    assert box.kinds(HTML, PLAIN, refuses=(HTML,), status=status) == [HTML]
    assert box.kinds(HTML, PLAIN) == [HTML]  # a page that sets its listener later is asked again


def test_the_accept_of_a_415_is_all_that_is_taken() -> None:
    box = Mailbox(_client())
    assert box.typing(refuses=(TYPING,), accept="text/plain") == [TYPING]
    assert box.kinds(HTML, PLAIN) == [PLAIN]
    assert box.typing() == []


def test_a_415_to_typing_fails_nothing_but_the_typing() -> None:
    box = Mailbox(_client())
    assert box.typing(refuses=(TYPING,)) == [TYPING]
    assert box.kinds(PLAIN) == [PLAIN]
    assert [result.stage for result in box.results()] == [Stage.FAILED, Stage.DELIVERED]


@pytest.mark.parametrize("accept", ["*/*", "text/*, application/*"])
def test_a_range_says_nothing_of_one_type(accept: str) -> None:
    box = Mailbox(_client())
    box.typing(refuses=(TYPING,), accept=accept)
    assert box.kinds(HTML, PLAIN) == [HTML]


@pytest.mark.parametrize("accept", ["text/plain;;", "nonsense"])
def test_an_accept_that_cannot_be_read_says_nothing(accept: str) -> None:
    box = Mailbox(_client())
    assert box.kinds(HTML, PLAIN, refuses=(HTML,), accept=accept) == [HTML, PLAIN]
    assert _client(None, ("Accept", accept)).endpoint.registrar.contacts(f"alice@{DOMAIN}")


def test_a_text_is_tried_whatever_is_listed() -> None:
    box = Mailbox(_client())
    box.typing(refuses=(TYPING,), accept="application/sdp")
    assert box.kinds(PLAIN) == [PLAIN]


def test_cpim_goes_only_to_those_who_are_known_to_take_it() -> None:
    assert Mailbox(_client()).kinds(CPIM, PLAIN) == [PLAIN]
    assert Mailbox(_client("Linphone/5.1")).kinds(CPIM, PLAIN) == [CPIM]
    assert Mailbox(_client(None, ("Accept", "text/plain, message/cpim"))).kinds(CPIM, PLAIN) == [CPIM]


@pytest.mark.parametrize("header", [("Accept", "application/sdp, text/plain"), ("Accept", "application/sdp")])
def test_the_accept_of_a_registration_is_not_all_that_is_taken(header: tuple[str, str]) -> None:
    """linphone takes CPIM and typing and lists neither."""
    box = Mailbox(_client("Linphonec/5.1.65", header))
    assert box.kinds(CPIM, PLAIN) == [CPIM]
    assert box.typing() == [TYPING]


def test_an_allow_without_message() -> None:
    box = Mailbox(_client(None, ("Allow", "INVITE, ACK, BYE")))
    assert box.typing() == []
    assert box.kinds(HTML, PLAIN) == [PLAIN]
    assert Mailbox(_client(None, ("Allow", "INVITE, message"))).kinds(HTML, PLAIN) == [HTML]


def test_who_subscribes_says_what_it_takes() -> None:
    client = _client()
    headers = [
        ("Event", "presence"),
        ("Contact", f"<{client.contact}>"),
        ("Accept", "application/pidf+xml, message/cpim"),
    ]
    assert client.ask("SUBSCRIBE", FRIEND, headers, now=0.5).status == 200
    assert Mailbox(client).kinds(CPIM, PLAIN) == [CPIM]


def _says(client: Client, content_type: str, body: bytes) -> None:
    client.endpoint.receive(client.flow, client.request("MESSAGE", FRIEND, [("Content-Type", content_type)], body), 0.6)
    client.take(0.6)


def test_what_a_device_sends_it_takes() -> None:
    client = _client("baresip v1.0.0")
    box = Mailbox(client)
    assert box.typing() == []
    _says(client, TYPING, b"<isComposing><state>active</state></isComposing>")
    assert box.typing() == [TYPING]
    _says(client, CPIM, b"")
    assert box.kinds(CPIM, PLAIN) == [CPIM]


def test_a_receipt_goes_to_who_is_known_to_take_it_and_else_to_who_may() -> None:
    known, unknown = _client("Linphone/5.1"), Client(make_endpoint(), "alice")
    assert Mailbox(known).kinds(CPIM, IMDN) == [CPIM]
    unknown.register()
    assert Mailbox(unknown).kinds(CPIM, IMDN, refuses=(CPIM,)) == [CPIM, IMDN]
    box = Mailbox(_client("baresip v1.0.0"))
    assert box.kinds(CPIM, IMDN) == []
    assert [result.failure is not None for result in box.results()] == [True]


def test_of_two_devices_the_one_that_takes_receipts_gets_them_alone() -> None:
    endpoint = make_endpoint()
    soft, desk = Client(endpoint, "alice", port=1), Client(endpoint, "alice", port=2)
    soft.register(0.0, 3600, ("User-Agent", "Linphone/5.1"))
    desk.register()
    endpoint.send_message(_message(CPIM, IMDN), "k", 1.0)
    ((flow, data),) = endpoint.to_send(1.0)
    assert isinstance(flow, Flow)
    assert flow.remote[1] == 1
    assert isinstance(data, bytes)


def test_the_ids_by_which_receipts_may_name_a_message_that_asks_for_them() -> None:
    box = Mailbox(_client("Linphone/5.1"))
    box.client.endpoint.send_message(_message(CPIM, HTML, PLAIN), "k", 1.0)
    (request,) = box.sent()
    box.client.endpoint.receive(box.client.flow, respond_bytes(request, 200, to_tag="t"), 1.0)
    (result,) = box.results()
    assert request.call_id in result.aliases
    assert len(set(result.aliases)) == 3
    assert box.kinds(HTML, PLAIN) == [PLAIN]
    assert box.results()[0].aliases == ()


def test_what_was_learnt_is_kept_over_a_refresh_and_forgotten_with_the_device() -> None:
    client = _client("x")
    box = Mailbox(client)
    box.kinds(HTML, PLAIN, refuses=(HTML,))
    client.register(5.0, 3600, ("User-Agent", "x"))
    assert box.kinds(HTML, PLAIN) == [PLAIN]
    client.register(6.0, 3600, ("User-Agent", "another program"))
    assert box.kinds(HTML, PLAIN) == [HTML]
    box.kinds(HTML, PLAIN, refuses=(HTML,))
    client.register(7.0, 0, ("User-Agent", "another program"))
    client.register(8.0, 3600, ("User-Agent", "another program"))
    assert box.kinds(HTML, PLAIN) == [HTML]


def test_what_is_kept_of_a_device_is_bounded() -> None:
    abilities = Abilities(NONE)
    for number in range(1000):
        abilities.sent(f"text/x-{number}")
        abilities.listed({f"text/y-{number}"}, complete=False)
    assert abilities.takes <= LEARNABLE
    assert abilities.refuses <= LEARNABLE
    assert Abilities(DEFAULT.of("Linphone")).takes <= LEARNABLE


def test_a_200_to_options_says_what_is_taken() -> None:
    """A device whose connection broke is asked whether it is there, and says more than that."""
    client = _client(None, transport="tcp", port=5)
    endpoint = client.endpoint
    endpoint.flow_lost(client.flow, 1.0)
    endpoint.handle_timer(17.0)
    (connect,) = [output for output in endpoint.to_send(17.0) if isinstance(output, ConnectTo)]
    again = Flow("tcp", ("192.0.2.1", 33333), ("192.0.2.9", 5), 99)
    endpoint.flow_opened(again, 17.1, connect.target)
    request = parse_message(connect.data)
    assert isinstance(request, Request)
    assert request.method == "OPTIONS"
    answer = respond_bytes(request, 200, to_tag="t", headers=(("Accept", "application/sdp, message/cpim"),))
    endpoint.receive(again, answer, 17.2)
    endpoint.send_message(_message(CPIM, PLAIN), "k", 18.0)
    ((_, data),) = [output for output in endpoint.to_send(18.0) if not isinstance(output, ConnectTo | CloseFlow)]
    sent = parse_message(data)
    assert isinstance(sent, Request)
    assert sent.content_type is not None
    assert sent.content_type.media_type == CPIM


# Over 1300 bytes


def test_over_udp_a_form_that_is_too_long_gives_way_to_one_that_is_not() -> None:
    """RFC 3428 section 8. The plain text was cut to what goes; CPIM around it is longer."""
    box = Mailbox(_client("Linphone/5.1"))
    message = SipMessage(
        aor=f"alice@{DOMAIN}", peer=FRIEND, call_id="", cseq=0, content_type=CPIM, body=b"x" * 1200,
        others=(SipForm(PLAIN, b"y" * 600),),
    )  # fmt: skip
    box.client.endpoint.send_message(message, "k", 1.0)
    (request,) = box.sent()
    assert request.body == b"y" * 600
    assert len(request.to_bytes()) <= 1300


def test_a_long_contact_leaves_less_room_for_a_text() -> None:
    client = Client(make_endpoint(), "alice")
    usual = client.endpoint.max_body(f"alice@{DOMAIN}")
    contact = f"<sip:alice@{client.flow.remote[0]}:{client.flow.remote[1]};x={'y' * 300}>"
    assert client.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", contact)]).status == 200
    room = client.endpoint.max_body(f"alice@{DOMAIN}")
    assert room < usual - 200
    client.endpoint.send_message(_message(PLAIN, text=b"x" * room), "k", 1.0)
    (request,) = [message for message in client.take(1.0) if isinstance(message, Request)]
    assert len(request.to_bytes()) <= 1300
