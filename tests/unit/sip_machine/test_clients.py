"""Client transactions by themselves: INVITE too, which the bridge never sends."""

from transports.sip.machine.clients import ClientTransactions, Failure, Outcome
from transports.sip.machine.flow import ConnectTo, Flow, Output, Target
from transports.sip.machine.timers import TimerQueue
from transports.sip.machine.transactions import Timers
from transports.sip.wire.message import Request, Response, parse_message, respond

UDP = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5060))
TCP = Flow("tcp", ("192.0.2.1", 5060), ("192.0.2.9", 5060), 1)


class Clients:
    """Client transactions with what they need."""

    def __init__(self, limit: int = 10) -> None:
        self.queue = TimerQueue()
        self.outputs: list[Output] = []
        self.flows: dict[int, Flow] = {}
        self.told: list[Outcome] = []
        self.all = ClientTransactions(Timers(), limit, self.queue, self.outputs, self.flows)

    def start(self, method: str = "INVITE", way: Flow | Target = UDP, branch: str = "z9hG4bKa") -> Request:
        """Sends a request."""
        headers = [
            ("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch={branch}"), ("Route", "<sip:p.test;lr>"),
            ("From", "<sip:a@b.test>;tag=1"), ("To", "<sip:c@d.test>"), ("Call-ID", "x"), ("CSeq", f"7 {method}"),
        ]  # fmt: skip
        request = Request.build(method, "sip:c@d.test", headers)
        self.all.request(method, branch, request.to_bytes(), way, 0.0, lambda outcome, now: self.told.append(outcome))
        return request

    def sent(self) -> list[Request]:
        """What was sent since the last time."""
        found = []
        for output in self.outputs:
            assert isinstance(output[1], bytes)
            parsed = parse_message(output[1])
            assert isinstance(parsed, Request)
            found.append(parsed)
        self.outputs.clear()
        return found

    def hear(self, request: Request, status: int, now: float = 1.0) -> None:
        """A response arrives."""
        self.all.response(respond(request, status, to_tag="t"), now)


def _statuses(told: list[Outcome]) -> list[object]:
    return [outcome.status if isinstance(outcome, Response) else outcome for outcome in told]


def test_a_refused_invite_is_acknowledged_each_time_it_is_refused() -> None:
    clients = Clients()
    request = clients.start()
    clients.sent()
    clients.hear(request, 180)
    clients.hear(request, 486)
    clients.hear(request, 486)
    first, second = clients.sent()
    assert first.to_bytes() == second.to_bytes()
    assert (first.method, first.uri_text) == ("ACK", "sip:c@d.test")
    assert str(first.cseq) == "7 ACK"
    assert first.top_via == request.top_via
    assert first.to.tag == "t"
    assert first.first("Route") == "<sip:p.test;lr>"
    assert _statuses(clients.told) == [486]
    clients.queue.fire(33.5)
    assert len(clients.all) == 0


def test_an_invite_that_nobody_answers() -> None:
    clients = Clients()
    clients.start()
    times = []
    for step in range(400):
        clients.queue.fire(step / 10)
        times += [step / 10] * len(clients.sent())
    assert times == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert clients.told == [Failure.TIMEOUT]


def test_every_2xx_to_an_invite_is_told() -> None:
    clients = Clients()
    request = clients.start()
    clients.hear(request, 200)
    clients.hear(request, 200)
    assert _statuses(clients.told) == [200, 200]
    clients.queue.fire(40.0)
    clients.hear(request, 200)
    assert _statuses(clients.told) == [200, 200]


def test_a_provisional_answer_slows_retransmissions_to_t2() -> None:
    clients = Clients()
    request = clients.start("MESSAGE")
    clients.sent()
    clients.hear(request, 100, 0.1)
    times = []
    for step in range(1, 400):
        clients.queue.fire(step / 10)
        times += [step / 10] * len(clients.sent())
    assert times == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    assert clients.told == [Failure.TIMEOUT]


def test_streams() -> None:
    clients = Clients()
    clients.start("MESSAGE", TCP)
    assert clients.told == [Failure.UNREACHABLE]
    clients.flows[TCP.id] = TCP
    clients.all.flow_opened(TCP, None)
    clients.start("MESSAGE", TCP)
    clients.queue.fire(31.0)
    assert len(clients.sent()) == 1
    clients.all.flow_lost(TCP, 31.5)
    assert clients.told == [Failure.UNREACHABLE, Failure.TRANSPORT]
    assert len(clients.all) == 0


def test_requests_to_one_target_share_its_connection() -> None:
    clients = Clients()
    target = Target("tcp", "192.0.2.9", 5060)
    clients.start("MESSAGE", target, "z9hG4bKa")
    clients.start("MESSAGE", target, "z9hG4bKb")
    assert all(isinstance(output, ConnectTo) and output.target == target for output in clients.outputs)
    assert clients.all.connecting == 2
    clients.flows[TCP.id] = TCP
    clients.all.flow_opened(TCP, target)
    clients.outputs.clear()
    clients.start("MESSAGE", target, "z9hG4bKc")
    assert [output[0] for output in clients.outputs] == [TCP]
    clients.all.flow_lost(TCP, 1.0)
    assert clients.told == [Failure.TRANSPORT] * 3


def test_a_limit() -> None:
    clients = Clients(limit=1)
    clients.start("MESSAGE", UDP, "z9hG4bKa")
    clients.start("MESSAGE", UDP, "z9hG4bKb")
    assert clients.told == [Failure.OVERLOAD]


def test_responses_that_are_not_ours() -> None:
    clients = Clients()
    request = clients.start("MESSAGE")
    other = Request.build("MESSAGE", request.uri, [(n, v.replace("z9hG4bKa", "z9hG4bKb")) for n, v in request.headers])
    clients.hear(other, 200)
    twice = respond(request, 200, to_tag="t")
    twice.add("Via", "SIP/2.0/UDP 192.0.2.77")
    clients.all.response(twice, 1.0)
    assert clients.told == []
