"""What was published outlives a restart: the entity tag, the document and its time (RFC 3903)."""

from __future__ import annotations

from tests.kit.sip import DOMAIN, Client, KeptBindings, make_endpoint
from transports.sip.machine.config import Limits
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import Published
from transports.sip.machine.ports import Done, StoredPublication
from transports.sip.wire.message import Response
from transports.sip.wire.native import SipPublished

OPEN = (
    b'<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@example.test">'
    b'<tuple id="a"><status><basic>open</basic></status></tuple></presence>'
)
CLOSED = OPEN.replace(b"open", b"closed")
ALICE = f"alice@{DOMAIN}"


class Store:
    """Keeps publications when it is told to go on."""

    def __init__(self) -> None:
        self.rows: dict[str, StoredPublication] = {}
        self.waiting: list[tuple[StoredPublication, Done]] = []
        self.waits = False

    def put(self, publication: StoredPublication, done: Done) -> None:
        """Keeps."""
        self.waiting.append((publication, done))
        if not self.waits:
            self.go_on(0.0)

    def go_on(self, now: float, *, durable: bool = True) -> None:
        """Ends all that waits."""
        waiting, self.waiting = self.waiting, []
        for publication, done in waiting:
            if durable:
                self.rows[publication.id] = publication
            done(durable, now)

    def remove(self, publication_id: str) -> None:
        """Forgets."""
        self.rows.pop(publication_id, None)

    def load(self) -> tuple[StoredPublication, ...]:
        """All."""
        return tuple(self.rows.values())


class World:
    """An endpoint that can be started again on what was kept."""

    def __init__(self, **changes: object) -> None:
        self.bindings, self.store, self.changes = KeptBindings(), Store(), changes
        self.alice = self.start(0.0)
        self.alice.register()
        self.published()

    def start(self, now: float) -> Client:
        """Starts an endpoint; returns alice's phone at it."""
        endpoint = make_endpoint(bindings=self.bindings, publications=self.store, now=now, **self.changes)  # type: ignore[arg-type]
        self.endpoint: Endpoint = endpoint
        self.alice = Client(endpoint, "alice")
        self.alice.cseq = 100  # a phone goes on counting
        return self.alice

    def published(self) -> list[SipPublished]:
        """What the owner was told since it was asked last."""
        return [event.native for event in iter(self.endpoint.next_event, None) if isinstance(event, Published)]


def publish(client: Client, body: bytes, now: float, *, match: str = "", expires: int = 600) -> Response:
    headers = [("Event", "presence"), ("Expires", str(expires))]
    headers += [("Content-Type", "application/pidf+xml")] if body else []
    headers += [("SIP-If-Match", match)] if match else []
    return client.ask("PUBLISH", f"sip:{client.user}@{DOMAIN}", headers, body, now)


def tag(response: Response) -> str:
    assert response.status == 200
    return response.first("SIP-ETag") or ""


def test_a_device_goes_on_with_its_tag_after_a_restart() -> None:
    world = World()
    first = tag(publish(world.alice, OPEN, 1.0))
    second = tag(publish(world.alice, CLOSED, 2.0, match=first))
    before = world.published()[-1]
    alice = world.start(100.0)
    (told,) = world.published()
    assert (told.aor, told.pidf, told.entity_tag) == (ALICE, CLOSED, before.entity_tag)
    assert told.expires == 502
    assert publish(alice, b"", 101.0, match=first).status == 412  # was over before
    third = tag(publish(alice, b"", 102.0, match=second))
    assert third != second
    (refreshed,) = world.published()
    assert (refreshed.pidf, refreshed.entity_tag, refreshed.expires) == (CLOSED, before.entity_tag, 600)
    world.start(103.0)
    assert publish(world.alice, b"", 104.0, match=third, expires=0).status == 200
    assert world.published()[-1].pidf is None
    assert world.store.rows == {}


def test_a_device_that_begins_anew_after_a_restart_replaces_what_it_published() -> None:
    world = World()
    first = tag(publish(world.alice, OPEN, 1.0))
    second = tag(publish(world.start(10.0), CLOSED, 11.0))
    assert first.partition(".")[0] == second.partition(".")[0]
    assert world.endpoint.counts["publications"] == 1


def test_the_tag_is_told_when_it_is_durable() -> None:
    world = World()
    publish(world.alice, OPEN, 1.0)
    world.store.waits = True
    headers = [("Event", "presence"), ("Content-Type", "application/pidf+xml")]
    assert world.alice.deliver(world.alice.request("PUBLISH", f"sip:{ALICE}", headers, CLOSED), 2.0) == []
    assert world.published()[-1].pidf == CLOSED  # watchers need not wait for the disk
    world.store.go_on(2.5)
    (response,) = world.alice.take(2.5)
    assert isinstance(response, Response)
    assert tag(response) == "{0.id}.{0.version}".format(*world.store.rows.values())


def test_what_cannot_be_kept_is_in_force_all_the_same() -> None:
    world = World()
    publish(world.alice, OPEN, 1.0)
    world.store.waits = True
    headers = [("Event", "presence"), ("Content-Type", "application/pidf+xml")]
    world.alice.deliver(world.alice.request("PUBLISH", f"sip:{ALICE}", headers, CLOSED), 2.0)
    world.store.go_on(2.5, durable=False)
    (response,) = world.alice.take(2.5)
    assert isinstance(response, Response)
    assert world.published()[-1].pidf == CLOSED
    world.store.waits = False
    assert publish(world.alice, b"", 3.0, match=tag(response)).status == 200


def test_what_has_run_out_meanwhile_is_over() -> None:
    world = World()
    first = tag(publish(world.alice, OPEN, 1.0, expires=100))
    alice = world.start(102.0)
    assert world.published() == []
    assert world.store.rows == {}
    assert publish(alice, b"", 103.0, match=first).status == 412


def test_it_runs_out_in_its_time_after_a_restart() -> None:
    world = World()
    publish(world.alice, OPEN, 1.0, expires=100)
    world.start(50.0)
    assert len(world.published()) == 1
    world.endpoint.handle_timer(103.0)
    (told,) = world.published()
    assert told.pidf is None
    assert world.store.rows == {}


def test_who_signed_off_everywhere_is_not_there_again_after_a_restart() -> None:
    world = World()
    first = tag(publish(world.alice, OPEN, 1.0))
    world.alice.register(2.0, 0)
    assert world.store.rows == {}
    second = tag(publish(world.alice, b"", 3.0, match=first))  # it goes on: then it is shown, and kept
    assert tag(publish(world.start(4.0), b"", 5.0, match=second))


def test_whose_last_device_ran_out_while_the_bridge_was_down_is_gone() -> None:
    world = World()
    world.alice.register(1.0, 60)
    publish(world.alice, OPEN, 2.0, expires=600)
    world.start(100.0)
    assert world.published() == []
    assert world.store.rows == {}


def test_who_publishes_without_a_registration_is_there_after_a_restart() -> None:
    world = World()
    world.alice.register(1.0, 0)
    publish(world.alice, OPEN, 2.0)
    world.start(10.0)
    assert [told.pidf for told in world.published()] == [OPEN]
    assert world.endpoint.aors() == {ALICE}


def test_a_long_document_is_published_anew_after_a_restart() -> None:
    world = World(limits=Limits(stored_publication=len(CLOSED)))
    first = tag(publish(world.alice, CLOSED, 1.0))
    assert len(world.store.rows) == 1
    long = CLOSED.replace(b"</presence>", b" " * 10 + b"</presence>")
    second = tag(publish(world.alice, long, 2.0, match=first))
    assert world.store.rows == {}  # the tag that was kept is over
    alice = world.start(3.0)
    assert publish(alice, b"", 4.0, match=second).status == 412
    assert tag(publish(alice, long, 5.0))


def test_a_sign_off_forgets_what_was_kept() -> None:
    world = World()
    publish(world.alice, OPEN, 1.0)
    world.endpoint.sign_off(ALICE, 2.0, for_good=True)
    assert world.store.rows == {}
    world.start(3.0)
    assert world.published() == []
