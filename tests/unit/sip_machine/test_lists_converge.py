"""Whatever is shown, lost, refused or put on the list: a watcher who follows RFC 4662 ends with what is true."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.lists import told
from tests.kit.sip import make_endpoint
from tests.unit.sip_machine.test_lists import Watcher
from transports.sip.machine.config import Limits
from transports.sip.machine.events import SubscriptionClosed, SubscriptionOpened
from transports.sip.wire.message import Request, respond_bytes
from transports.sip.wire.native import SipPresence

URIS = [f"sip:f{number}@aim.example.test" for number in range(6)]
SHOW = st.tuples(
    st.just("show"), st.integers(0, 5), st.sampled_from(["active", "pending", "terminated"]), st.integers(0, 9)
)
LIST = st.tuples(st.just("list"), st.lists(st.sampled_from(URIS), max_size=6, unique=True))
KEEP = st.tuples(st.just("keep"))
WAIT = st.tuples(st.just("wait"), st.sampled_from([200, 200, 200, 488, 500, 503]))
STEPS = st.lists(st.one_of(SHOW, SHOW, SHOW, WAIT, WAIT, LIST, KEEP), max_size=40)


class Follower:
    """A watcher of a list as RFC 4662 section 4.6 has it, and an owner who remembers what was shown."""

    def __init__(self) -> None:
        self.alice = Watcher(make_endpoint(limits=Limits(list_notify_datagram=4800)), "alice")
        self.alice.register()
        self.now = 1.0
        self.watches: dict[str, str] = {}
        self.shown: dict[str, tuple[str, bytes | None]] = {}
        self.known: dict[str, tuple[str, bytes | None] | None] = {}
        self.version = -1
        self.listed: list[str] = list(URIS)
        self.tag = self.alice.subscribe(URIS, self.now).to.tag or ""
        self.owner()

    def owner(self) -> None:
        """Takes the events."""
        for event in iter(self.alice.endpoint.next_event, None):
            if isinstance(event, SubscriptionOpened):
                if self.watches.get(event.native.target) != event.native.id:
                    self.watches[event.native.target] = event.native.id
                    self.shown[event.native.target] = ("pending", None)
            elif isinstance(event, SubscriptionClosed):
                del self.watches[event.target]

    def show(self, number: int, state: str, value: int) -> None:
        """Shows something, where the owner knows of a watch."""
        uri = URIS[number]
        if uri not in self.watches:
            return
        pidf = b"%d" % value * 700 if state == "active" else None
        presence = SipPresence(
            target=uri, watcher=None, pidf=pidf, state=state, subscription=self.watches[uri]  # type: ignore[arg-type]
        )  # fmt: skip
        assert self.alice.endpoint.notify(presence, self.now) == 1
        self.shown[uri] = (state, pidf)
        self.owner()

    def refresh(self, uris: list[str] | None) -> None:
        """SUBSCRIBE in the dialog."""
        self.now += 0.5
        assert self.alice.subscribe(uris, self.now, tag=self.tag).status == 200
        if uris is not None:
            self.listed = uris
        self.owner()

    def wait(self, status: int) -> None:
        """Lets time pass for one NOTIFY, which is answered with ``status``."""
        self.now += 5.5
        self.alice.endpoint.handle_timer(self.now)
        for message in self.alice.take(self.now):
            if isinstance(message, Request):
                more = (("Retry-After", "1"),) if status == 503 else ()
                if status == 200:
                    self.take(message)
                answer = respond_bytes(message, status, to_tag="t", headers=more)
                self.alice.endpoint.receive(self.alice.flow, answer, self.now)

    def take(self, notify: Request) -> None:
        """Takes a NOTIFY: a full state replaces all, and else the versions must follow on each other."""
        said = told(notify)
        assert said.version > self.version
        if said.full:
            assert list(said.resources) == self.listed
            self.known = dict.fromkeys(said.resources)
        else:
            assert said.version == self.version + 1
        self.version = said.version
        for uri, instances in said.resources.items():
            if instances:
                self.known[uri] = (instances[0][0], instances[0][2])


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_a_watcher_ends_with_what_is_true(steps: list[tuple[object, ...]]) -> None:
    follower = Follower()
    for number in range(len(URIS)):
        follower.show(number, "active", 0)
    for name, *values in steps:
        if name == "list":
            follower.refresh(*values)  # type: ignore[arg-type]
        elif name == "keep":
            follower.refresh(None)
        else:
            getattr(follower, str(name))(*values)
    if follower.watches:  # a change, or a NOTIFY that was refused would not be followed by another one
        follower.show(URIS.index(next(iter(follower.watches))), "active", 10)
    else:
        follower.refresh(None)
    for _ in range(10):
        follower.wait(200)
    assert follower.known == {uri: follower.shown[uri] for uri in follower.listed}
    assert set(follower.watches) == {uri for uri in follower.listed if follower.shown[uri][0] != "terminated"}
