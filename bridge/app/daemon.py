"""The daemon: everything bound together, started in order and stopped in order."""

import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy
import structlog
from attrs import define, field
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from bridge.app import control_server
from bridge.app.approvals import PresenceRequests, SipSurroundings, StoredApprovals, SummaryWatch
from bridge.app.approvals import load as load_approvals
from bridge.app.config import load
from bridge.app.control import ControlError
from bridge.app.elsewhere import PeopleElsewhere
from bridge.app.errors import ERRORS
from bridge.app.holds import Reviews
from bridge.app.home import Home
from bridge.app.networks.base import Network, Surroundings
from bridge.app.refusals import EdgeRefusals
from bridge.app.registry import KINDS
from bridge.app.reloading import reloaded
from bridge.app.sipconfig import stored_lists, tls_files
from bridge.app.sipside import build_sip
from bridge.app.status import status_of
from bridge.compliance import record
from bridge.compliance.checkpoint import Checkpoint
from bridge.delivery.ephemeral import EphemeralDelivery
from bridge.delivery.ingress import Ingress
from bridge.delivery.judge import Judge
from bridge.delivery.notices import Notices
from bridge.delivery.pipeline import Pipeline, Settings
from bridge.delivery.ports import CommitFailed, Entry, Link
from bridge.identity.bindings import Binding, NameKey
from bridge.identity.secret import Secret
from bridge.identity.snapshot import IdentitySnapshot, SnapshotDelta, delta
from bridge.identity.vault import Vault
from bridge.model.capabilities import LinkState
from bridge.model.ids import SIP, EventIdMint, NetworkId, PersonId
from bridge.policy.snapshot import Snapshot
from bridge.presence.approvals import Approvals
from bridge.presence.hub import PresenceHub
from bridge.runtime import memory
from bridge.store import housekeeping
from bridge.store import identity as identity_store
from bridge.store.database import connect_readonly, sqlalchemy_over
from bridge.store.errors import StoreError
from bridge.store.journal import GroupCommitJournal
from bridge.store.publishing import PublisherThread, publisher_of
from bridge.store.writer import Submitted
from mappings.sip import SipMapping
from transports.sip.connector import SipTransport
from transports.sip.machine.events import PeerChanged
from transports.sip.tls import TlsError

log = structlog.get_logger(__name__)

TICK = 0.25
"""Seconds between looks at what time asks for: retries, expiry, waiting senders."""
SIP_DUPLICATE_SECONDS = 64.0
"""Twice the life of a transaction (RFC 3261 section 17.1.2.2): libpurple makes the same Call-IDs anew at each start."""
EDGE_POLL = 5.0
"""Seconds between looks whether a minute's allowance of refusals on record is over."""
SUMMARY_POLL = 1.0
"""Seconds until those who watch it are told that other messages wait for a person."""
HOUSEKEEPING = 60.0
"""Seconds between looks at what has expired in the store."""
IDENTITY_POLL = 1.0
"""Seconds until a change of identities by a command is seen."""


@define(eq=False)
class Daemon:
    """One running bridge.

    Args:
        home: what it keeps.
        reactor: Twisted's.
    """

    home: Home
    reactor: Any
    started_at: float = field(init=False, factory=time.time)
    people: IdentitySnapshot = field(init=False)
    policy: Snapshot = field(init=False)
    vault: Vault = field(init=False)
    journal: GroupCommitJournal = field(init=False)
    pipeline: Pipeline = field(init=False)
    ephemeral: EphemeralDelivery = field(init=False)
    hub: PresenceHub = field(init=False)
    requests: PresenceRequests = field(init=False)
    around: SipSurroundings = field(init=False)
    elsewhere: PeopleElsewhere = field(init=False)
    sip: SipTransport = field(init=False)
    networks: dict[NetworkId, Network] = field(init=False, factory=dict)
    ingresses: dict[NetworkId, Ingress] = field(init=False, factory=dict)
    refusals: EdgeRefusals = field(init=False)
    reviews: Reviews = field(init=False)
    _reading: sqlalchemy.Connection = field(init=False)
    _raw_reading: sqlite3.Connection = field(init=False)
    _publisher: PublisherThread = field(init=False)
    _checkpoint: tuple[int, float] | None = field(init=False, default=None)
    _loops: list[LoopingCall] = field(init=False, factory=list)
    _control: Any = field(init=False, default=None)
    _metrics: Any = field(init=False, default=None)
    _up: bool = field(init=False, default=False)
    _stopping: bool = field(init=False, default=False)

    async def start(self) -> None:
        """Starts everything.

        Raises:
            OSError: a listener cannot be opened.
            one of ``home.ERRORS``, ControlError, TlsError: something is wrong with what the configuration names.
        """
        home = self.home
        home.prepare()
        self._control = control_server.listen(self.reactor, home.config.bridge.data_dir, self._questions())
        self.vault = home.vault()
        self.policy = home.policy()
        writer = home.writer()
        self.journal = GroupCommitJournal(
            writer, self.reactor.callFromThread, max_waiting=home.config.store.max_waiting
        )
        self._raw_reading = connect_readonly(home.database)
        self._reading = sqlalchemy_over(self._raw_reading)
        self.people = identity_store.load_snapshot(self._reading, home.rules())
        self.journal.start()
        self._publisher = PublisherThread(
            publisher_of(home.database, home.log_folder, home.signer(self.journal.log_id, create=home.unpublished())),
            on_published=self._published,
            interval=home.config.compliance.checkpoint_interval,
        )
        self._publisher.start()
        self._build()
        # Before anybody can write to us: what is new comes after what waited, and is not read as if it had waited too.
        # And before our own start is on record, behind which the end of the last process would not be found.
        self.pipeline.lanes.pause()
        recovered = self.pipeline.recover()
        self.reviews.recovered = True
        await self._begin_record()
        await self._open()
        self.pipeline.lanes.resume(time.time())
        self._keep_house()
        self._begin_loops()
        self._up = True
        log.info(
            "started",
            domain=home.config.bridge.domain,
            log_id=self.journal.log_id,
            people=len(self.people.accounts()),
            accounts=len(self.people.bindings()),
            recovered=recovered,
            listeners=[f"{at.transport}:{at.host}:{at.port}" for at in self.sip.listeners],
        )

    def _build(self) -> None:
        config = self.home.config
        clock, monotonic = time.time, self.reactor.seconds
        mint = EventIdMint(clock, os.urandom)
        judge = Judge(policy=self.policy, directory=self.people)
        self.pipeline = Pipeline(
            judge=judge,
            journal=self.journal,
            mint=mint,
            clock=clock,
            monotonic=monotonic,
            notices=Notices(address=f"{config.delivery.notices_from}@{config.bridge.domain}"),
            settings=Settings(
                offline_seconds=config.delivery.offline_hours * 3600,
                tell_after=config.delivery.tell_after,
                retention_class=config.compliance.retention_class,
                max_per_lane=config.delivery.max_waiting_per_conversation,
                max_total=config.delivery.max_waiting,
            ),
        )
        links = self.pipeline.links
        self.ephemeral = EphemeralDelivery(links, judge, mint, clock, monotonic)
        self.pipeline.receipts.tell = self.ephemeral.tell_back
        approvals = Approvals(StoredApprovals(self.journal), clock)
        approvals.load(load_approvals(self._reading))
        self.hub = PresenceHub(self.ephemeral, self.ephemeral.sight, approvals, clock, self.ephemeral.age)
        self.ephemeral.answered = approvals.was_told
        self.requests = PresenceRequests(self.journal, approvals, self.hub, self.ephemeral.answer, clock)
        addresses = self.home.addresses()
        self.around = SipSurroundings(lambda: self.people, approvals, self.hub, self.pipeline.lanes, addresses)
        self.refusals = EdgeRefusals(self.pipeline)
        self.reviews = Reviews(self.journal, self.pipeline, clock)
        self.sip = build_sip(
            self.home,
            reactor=self.reactor,
            journal=self.journal,
            people=lambda: self.people,
            tls=tls_files(config),
            on_refused=self.refusals.refused,
            on_peer=self._peer_changed,
            surroundings=self.around,
            now=clock(),
        )
        approvals.changed = self.sip.watchers_changed
        self.elsewhere = PeopleElsewhere(self.sip)
        self.ephemeral.looked = self.elsewhere.looked
        self.ephemeral.asked = self.elsewhere.asked
        mapping = SipMapping(addresses=addresses, clock=clock)
        self._add(
            SIP,
            Link(
                transport=self.sip,
                mapping=mapping,
                duplicate_seconds=SIP_DUPLICATE_SECONDS,
                vouches_for_delivery=False,  # RFC 5438 section 8.2: a 2xx is no word of the recipient
            ),
        )
        for name, section in config.networks.items():
            around = Surroundings(
                network=NetworkId(name),
                section=section,
                options=self.home.options[name],
                reactor=self.reactor,
                clock=clock,
                keys=self.home.keys,
            )
            try:
                network = KINDS[section.kind].build(around)
            except ValueError as e:
                raise config.error(("networks", name), str(e)) from e
            self.networks[NetworkId(name)] = network
            self._add(NetworkId(name), network.link)

    def _add(self, network: NetworkId, link: Link) -> None:
        self.pipeline.links[network] = link
        self.ingresses[network] = Ingress(network, link, self.pipeline, self.ephemeral, self.hub)

    async def _open(self) -> None:
        try:
            await self.sip.start(self.ingresses[SIP])
        except OSError as e:
            raise self.home.config.error(("sip", "listen"), str(e)) from e
        for aor in sorted(self.sip.aors()):
            if not self.people.enabled(PersonId(aor)):  # shut out while the bridge was down
                self.sip.sign_off(aor, for_good=True)
        for name, network in self.networks.items():
            await network.start(self.ingresses[name])
        self._watch_elsewhere()
        for binding in self.people.bindings():
            self._sign_on(binding)

    def _watch_elsewhere(self) -> None:
        """Has the presence of those who are shown on a network watched where they are."""
        self.elsewhere.on_networks(one.person for one in self.people.bindings() if self._signs_on(one))

    def _begin_loops(self) -> None:
        self._every(TICK, lambda: self.pipeline.tick(time.time()))
        self._every(IDENTITY_POLL, self._look_at_people)
        self._every(EDGE_POLL, self.refusals.tick)
        self._every(TICK, memory.tend)
        self._every(SUMMARY_POLL, SummaryWatch(self.sip, self.around).tick)
        self._every(HOUSEKEEPING, self._keep_house)
        if self.home.config.metrics.listen is not None:
            from bridge.app.metrics import serve

            self._metrics = serve(self.reactor, self.home.config.metrics.listen, self)

    def _keep_house(self) -> None:
        """Ends what was held too long, and deletes what is not needed any more."""
        self.reviews.expire()

        def purged(outcome: Submitted[int] | CommitFailed) -> None:
            if isinstance(outcome, CommitFailed):
                log.warning("housekeeping failed", reason=outcome.reason)

        self.journal.submit(housekeeping.purge_sip(time.time()), purged)

    def _every(self, seconds: float, call: Callable[[], object]) -> None:
        def guarded() -> object:
            try:
                return call()
            except Exception:  # a defect of one look must not end all later ones
                log.exception("periodic work failed", work=getattr(call, "__name__", "tick"))
                return None

        loop = LoopingCall(guarded)
        loop.clock = self.reactor
        loop.start(seconds, now=False).addErrback(_loop_failed)
        self._loops.append(loop)

    @property
    def up(self) -> bool:
        """Whether it has started and is not stopping."""
        return self._up and not self._stopping

    @property
    def state(self) -> str:
        """Whether it is "starting" (then it is not whole yet), "up" or "stopping"."""
        if not self._up:
            return "starting"
        return "stopping" if self._stopping else "up"

    # Stop

    async def stop(self) -> None:
        """Stops taking new messages, gives what is under way its time, and closes everything. Nothing is lost."""
        if self._stopping:
            return
        self._stopping = True
        drain = self.home.config.bridge.drain
        log.info("stopping", sending=self.pipeline.lanes.sending, waiting=self.pipeline.lanes.total)
        self.pipeline.lanes.close()
        end = self.reactor.seconds() + drain
        while self.pipeline.busy and self.reactor.seconds() < end:
            await deferLater(self.reactor, 0.05)
        await self.sip.stop(drain=max(0.0, end - self.reactor.seconds()))
        for network in self.networks.values():
            await network.stop(drain=max(0.0, end - self.reactor.seconds()))
        for loop in self._loops:
            if loop.running:
                loop.stop()
        self._record(record.STOP, {"uncertain": self.pipeline.uncertain()})
        # Readers first: the write-ahead log is merged into the file by the last connection that closes, and only if
        # that one may write. Else a copy of the file alone would lack what was recorded last.
        self._reading.close()
        self._raw_reading.close()
        await deferToThread(self.journal.close)
        await deferToThread(self._publisher.stop)
        for port in (self._control, self._metrics):
            if port is not None:
                closing = port.stopListening()
                if isinstance(closing, Deferred):
                    await closing
        log.info("stopped", waiting=self.pipeline.lanes.total)

    # Reload

    def reload(self) -> list[str]:
        """Reads configuration, policy, lists and certificates again. What is wrong is told, and the old kept.

        Returns:
            what was not taken, a line each.
        """
        problems: list[str] = []
        try:
            fresh = reloaded(self.home, Home(load(self.home.config.path)), problems)
            policy = fresh.policy()
            self.home, before = fresh, self.home
            self._put_in_force(policy)
            if fresh.config.lists != before.config.lists:
                self.sip.set_lists(stored_lists(fresh.config))
        except ERRORS as e:
            problems.append(str(e))
        try:
            self.sip.reload_tls()
        except TlsError as e:
            problems.append(str(e))
        for problem in problems:
            log.error("not reloaded", problem=problem)
        log.info("reloaded", policy=self.policy.digest, problems=len(problems))
        return problems

    def _put_in_force(self, policy: Snapshot) -> None:
        if policy.digest == self.policy.digest:
            return
        before = self.policy.digest

        def done(outcome: object) -> None:
            if isinstance(outcome, CommitFailed):  # what is in force must be on record; the old one is
                log.error("policy not put in force", digest=policy.digest, reason=outcome.reason)
                return
            self.policy = policy
            self.pipeline.judge.policy = policy
            self._review_presence()
            log.info("policy in force", digest=policy.digest, version=policy.policy.version, before=before)

        fields = {"policy_digest": policy.digest, "policy_before": before, "policy_version": policy.policy.version}
        draft = record.event(record.POLICY_CHANGE, actor="simplebridge", fields=fields)
        self.journal.commit(Entry(records=(draft,)), done)

    # People

    def _look_at_people(self) -> None:
        if identity_store.version(self._reading) != self.people.version:
            ensureDeferred(self._load_people()).addErrback(_loop_failed)

    async def _load_people(self) -> None:
        before = self.people

        def read() -> tuple[IdentitySnapshot, SnapshotDelta]:
            people = self.home.people()
            return people, delta(before, people)  # a look at everybody, twice: not in the reactor's thread

        people, change = await deferToThread(read)
        if people.version <= self.people.version:
            return
        if self.people is not before:  # others were read meanwhile
            change = delta(self.people, people)
        self.people = people
        self.pipeline.judge.directory = people
        for person in change.shut_out | change.passwords:
            self.sip.sign_off(person, for_good=person in change.shut_out)
        for binding in change.links_down:
            network = self.networks.get(binding.network)
            if network is not None:
                network.sign_off(binding.account)
        self._watch_elsewhere()
        for binding in change.links_up:
            self._sign_on(binding)
        self._review_presence()
        log.info("people changed", version=people.version, down=len(change.links_down), up=len(change.links_up))

    def _sign_on(self, binding: Binding) -> None:
        network = self.networks.get(binding.network)
        if network is None:
            return
        secret = self._secret_of(binding)
        if secret is not None:
            presence = self.hub.presence_of(binding.person)
            shown = self.ephemeral.let_out(binding.person, binding.network, binding.account, presence)
            network.sign_on(binding.account, secret, shown)

    def _signs_on(self, binding: Binding) -> bool:
        """Whether a name is an account of ours that is signed on: it has a password, or needs none."""
        if binding.network not in self.networks:
            return False
        kind = KINDS[self.home.config.networks[binding.network].kind]
        return binding.credential is not None or not kind.needs_credentials(self.home.options[binding.network])

    def _secret_of(self, binding: Binding) -> Secret | None:
        """Returns what an account signs on with; None where it needs a password and has none."""
        if binding.credential is not None:
            key = NameKey(binding.network, binding.name)
            return identity_store.credential(self._reading, self.vault, key)
        return Secret("") if self._signs_on(binding) else None

    def _review_presence(self) -> None:
        """Tells everybody anew what they may see: policy or people have changed."""
        self.hub.review()
        self._go_on()
        for binding in self.people.bindings():
            network = self.networks.get(binding.network)
            if network is not None and network.states().get(binding.account) is LinkState.UP:
                presence = self.hub.presence_of(binding.person)
                self.ephemeral.show_on(binding.person, binding.network, binding.account, presence)

    def _go_on(self) -> None:
        if self.hub.go_on() and not self._stopping:
            self.reactor.callLater(0, self._go_on)

    # Record

    async def _begin_record(self) -> None:
        """Puts the start on record.

        Raises:
            StoreError: the record cannot be written: then there is nothing that a bridge may do.
        """
        answer: Deferred[object] = Deferred()
        draft = record.event(record.START, actor="simplebridge", fields={"policy_digest": self.policy.digest})
        self.journal.commit(Entry(records=(draft,)), answer.callback)
        outcome = await answer
        if isinstance(outcome, CommitFailed):
            raise StoreError(f"{self.home.database}: the record cannot be written: {outcome.reason}")

    def _peer_changed(self, change: PeerChanged) -> None:
        """What waits for people at a peer is sent when it answers again."""
        tell = log.info if change.up else log.warning
        tell("trusted peer", name=change.name, state="up" if change.up else "down", reason=change.reason)
        if change.up:
            for domain in change.domains:
                self.pipeline.lanes.wake_domain(SIP, domain, self.pipeline.clock())

    def _record(self, kind: str, fields: Mapping[str, Any]) -> None:
        draft = record.event(kind, actor="simplebridge", fields=fields)
        self.journal.commit(Entry(records=(draft,)), lambda _: None)

    def _published(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = (checkpoint.size, time.time())

    # Questions

    @property
    def checkpoint(self) -> tuple[int, float] | None:
        """The size of the last checkpoint and when it was made, seconds since the epoch; None before the first."""
        return self._checkpoint

    def _questions(self) -> Mapping[str, control_server.Answer]:
        return {
            "status": lambda _: status_of(self),
            "reload": lambda _: {"problems": self.reload()},
            "hold": self._review,
            "presence": self._presence_requests,
        }

    def _review(self, asked: Mapping[str, Any]) -> Deferred[Mapping[str, Any]]:
        if not hasattr(self, "reviews") or self._stopping:
            raise ControlError("the daemon is starting or stopping: try again in a moment")
        return self.reviews.answer(asked)

    def _presence_requests(self, asked: Mapping[str, Any]) -> Mapping[str, Any] | Deferred[Mapping[str, Any]]:
        if not self._up or self._stopping:
            raise ControlError("the daemon is starting or stopping: try again in a moment")
        return self.requests.ask(asked)


def _loop_failed(failure: Failure) -> None:
    log.error("periodic work ended", error=failure.getErrorMessage(), traceback=failure.getTraceback())
