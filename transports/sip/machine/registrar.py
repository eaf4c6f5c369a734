"""The registrar: who is reachable where (RFC 3261 section 10.3, with what RFC 3327, 3581 and 5626 add).

A binding remembers the flow that it came by. Requests to a contact go out on that flow while it lives: a client behind
a NAT, or one that listens nowhere (baresip over TLS), is reached in no other way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from sys import intern

from bridge.model.sharded import Sharded
from transports.sip.machine.abilities import Abilities
from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.expiry import Expiries
from transports.sip.machine.flow import Flow, HostPort, Target
from transports.sip.machine.gruu import Gruus, names_a_device, same_instance
from transports.sip.machine.layer import TransactionLayer
from transports.sip.machine.outbound import OPTION, OutboundRefused, reg_id_of
from transports.sip.machine.ports import BindingStore, StoredBinding
from transports.sip.machine.quirks import NONE
from transports.sip.machine.routing import target_of, way_to
from transports.sip.machine.serving import ServerTransaction
from transports.sip.machine.timers import TimerQueue
from transports.sip.wire.grammar import quote_string
from transports.sip.wire.headers import NameAddr, format_date, parse_name_addr
from transports.sip.wire.native import SipRegistration
from transports.sip.wire.uri import SipUri, parse_uri

MAX_Q = 1.0
_QVALUE = re.compile(r"0(?:\.[0-9]{0,9})?|1(?:\.0{0,9})?|\.[0-9]{1,9}")
"""RFC 3261 25.1 allows three digits; clients write more, and some leave out the 0."""


class Binding:
    """One contact of an address-of-record."""

    __slots__ = (
        "abilities", "call_id", "contact", "cseq", "expires_at", "flow", "flow_name", "generation", "instance", "local",
        "path", "q", "refreshed_at", "reg_id", "renewed", "request_uri", "source", "transport", "user_agent",
    )  # fmt: skip

    def __init__(self, uri: SipUri, flow: Flow) -> None:
        self.contact = str(uri)
        self.flow_name = self.contact
        """Tells it from the others of its person: flows of a device may have one Contact."""
        request_uri = _request_uri(uri)
        self.request_uri = self.contact if request_uri == self.contact else request_uri
        self.flow = flow
        self.transport = flow.transport
        self.local = flow.local
        self.source = flow.remote
        self.q = MAX_Q
        self.expires_at = 0.0
        self.refreshed_at = float("-inf")
        """When this process saw its last REGISTER."""
        self.renewed = False
        """Whether that was a refresh."""
        self.call_id = ""
        self.cseq = 0
        self.instance = ""
        self.reg_id = ""
        """Which of its device's flows it is (RFC 5626); empty where it is reached by its Contact."""
        self.generation = ""
        self.user_agent = ""
        self.path: tuple[str, ...] = ()
        self.abilities = Abilities(NONE)

    def by_flow(self, reg_id: str) -> None:
        """It is registered by this flow of its device; "": by its Contact."""
        self.reg_id = reg_id
        if reg_id:
            self.flow_name = f"{self.contact}\n{reg_id}"

    @property
    def uri(self) -> SipUri:
        """The contact's URI. Its parts are not kept: there are very many, and those in use are known by their text."""
        uri = parse_uri(self.contact)
        assert isinstance(uri, SipUri)
        return uri

    def ways(self, is_open: Callable[[Flow], bool]) -> Flow | Target | None:
        """Returns how to reach this contact now, or None where there is no way."""
        if self.path:
            return target_of(parse_name_addr(self.path[0]).uri)
        if self.reg_id:
            return self.flow if is_open(self.flow) else None  # RFC 5626 7: the flow, and nothing in its place
        return way_to(self.uri, self.flow, is_open)

    def stored(self, aor: str, epoch: float) -> StoredBinding:
        """Returns what is kept of it; ``epoch`` turns the endpoint's clock into seconds since the epoch."""
        return StoredBinding(
            aor=aor, contact=self.contact, q=self.q, expires_at=self.expires_at + epoch, call_id=self.call_id,
            cseq=self.cseq, transport=self.transport, local=self.local, source=self.source, instance=self.instance,
            reg_id=self.reg_id, user_agent=self.user_agent, path=self.path, generation=self.generation,
        )  # fmt: skip


class _Refused(Exception):
    """A REGISTER that is to be answered with an error."""

    def __init__(self, status: int, reason: str | None, *headers: tuple[str, str]) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers


class Registrar:
    """Bindings of the domain.

    Args:
        config: the domain, limits, lifetimes.
        layer: answers go through it.
        queue: for expiry.
        store: keeps bindings; the 200 goes out when it has.
        gruus: makes the GRUUs of devices that support them.
        changed: told of each change of an address-of-record.
        by_flow: told of each connection by which a device has registered by outbound.
        epoch: seconds since the epoch at the endpoint's time 0.
    """

    def __init__(
        self,
        config: EndpointConfig,
        layer: TransactionLayer,
        queue: TimerQueue,
        store: BindingStore,
        gruus: Gruus,
        changed: Callable[[SipRegistration, float], None],
        by_flow: Callable[[Flow, float], None],
        epoch: float,
    ) -> None:
        self.gruus = gruus
        self._config = config
        self._layer = layer
        self._store = store
        self._changed = changed
        self._by_flow = by_flow
        self._epoch = epoch
        self._bindings: Sharded[str, tuple[Binding, ...]] = Sharded()
        self._on_flow: dict[int, set[str]] = {}
        self._count = 0
        self._expiries: Expiries[str] = Expiries(queue, self._expire)

    def __len__(self) -> int:
        return self._count

    def contacts(self, aor: str) -> tuple[Binding, ...]:
        """Returns the bindings of an address-of-record, the most wanted first."""
        return self._bindings.get(aor, ())

    def device(self, uri: SipUri, aor: str) -> Binding | None:
        """Returns the last binding of the device that a GRUU of ours means, or None where it is not registered."""
        owner = self.gruus.owner(uri, aor)
        if owner is None:
            return None
        found = [one for one in self.contacts(owner[0]) if one.instance and same_instance(one.instance, owner[1])]
        return max(found, key=lambda one: one.refreshed_at, default=None)

    def contact_at(self, aor: str, source: HostPort) -> Binding | None:
        """Returns the contact that a request of a person came from, by its source address; None where none is it."""
        for binding in self._bindings.get(aor, ()):
            if binding.source == source:
                return binding
        return None

    def aors(self) -> list[str]:
        """Returns who is registered."""
        return list(self._bindings)

    def load(self, now: float) -> None:
        """Reads what the store kept. Connections did not survive: such contacts are reached by new ones."""
        for row in self._store.load():
            uri = parse_uri(row.contact)
            expires_at = row.expires_at - self._epoch
            if expires_at <= now or not isinstance(uri, SipUri):
                continue
            binding = Binding(uri, Flow(row.transport, row.local, row.source, -1))
            binding.q, binding.expires_at, binding.call_id, binding.cseq = row.q, expires_at, row.call_id, row.cseq
            binding.instance, binding.user_agent = row.instance, row.user_agent
            binding.by_flow(row.reg_id)
            binding.path, binding.generation = row.path, row.generation
            binding.abilities = Abilities(self._config.quirks.of(row.user_agent))
            others = self._bindings.get(row.aor, ())
            self._bindings[row.aor] = tuple(sorted((*others, binding), key=lambda one: -one.q))
            self._count += 1
        for aor, bindings in self._bindings.items():
            self.gruus.keep(aor, (), _generations(bindings))
            self._expiries.add(aor, min(binding.expires_at for binding in bindings), now)
            self._tell(aor, now)

    # -- REGISTER -----------------------------------------------------------------------------------------------------

    def register(self, transaction: ServerTransaction, aor: str, now: float) -> None:
        """Takes an authenticated REGISTER for ``aor`` and answers it when its effect is durable."""
        before = self._bindings.get(aor, ())
        try:
            after = self._apply(transaction, before, now)
        except _Refused as refused:
            self._layer.answer(transaction, refused.status, refused.reason, now, headers=refused.headers)
            return
        if after is None:
            self._accept(transaction, aor, now)
            return
        self._put(aor, after, now)
        if transaction.flow.reliable:
            self._on_flow.setdefault(transaction.flow.id, set()).add(aor)
            if any(binding.reg_id and binding.flow is transaction.flow for binding in after):
                self._by_flow(transaction.flow, now)

        def done(durable: bool, at: float) -> None:
            at = max(at, now)
            if durable:
                # Told after the answer: what has waited for this device follows the 200 that it waits for itself.
                self._accept(transaction, aor, at)
                self._tell(aor, at)
                return
            if self._bindings.get(aor, ()) is after:
                self._put(aor, before, at)
            headers = (("Retry-After", str(self._config.limits.retry_after)),)
            self._layer.answer(transaction, 500, "Registration could not be kept", at, headers=headers)

        self._store.save(aor, tuple(binding.stored(aor, self._epoch) for binding in after), done)

    def _apply(
        self, transaction: ServerTransaction, before: tuple[Binding, ...], now: float
    ) -> tuple[Binding, ...] | None:
        """Returns the bindings after a REGISTER, or None for a mere fetch. Raises _Refused: nothing is changed."""
        request = transaction.request
        contacts = request.contacts
        if not contacts:
            return None
        call_id, cseq = request.call_id, request.cseq.number
        if contacts[0] == "*":
            if len(contacts) > 1 or request.expires != 0:
                raise _Refused(400, "Contact: * needs Expires: 0 and no other Contact")
            for binding in before:
                _check_order(binding, call_id, cseq)
            return ()
        after = list(before)
        for contact in contacts:
            assert isinstance(contact, NameAddr)
            self._apply_contact(transaction, contact, after, now)
        limits = self._config.limits
        # A phone that comes back on another port each time, as most do over UDP, must not lock its owner out until the
        # contacts of its earlier lives expire: the one that was refreshed longest ago makes room.
        others = sorted((one for one in after if one in before), key=lambda binding: binding.refreshed_at)
        for binding in others[: max(len(after) - limits.contacts_per_aor, 0)]:
            after.remove(binding)
        if len(after) > limits.contacts_per_aor:
            raise _Refused(403, f"Too many contacts, {limits.contacts_per_aor} at most")
        if self._count - len(before) + len(after) > limits.bindings:
            raise _Refused(503, "Registrar is full", ("Retry-After", str(limits.retry_after)))
        return tuple(sorted(after, key=lambda binding: -binding.q))

    def _apply_contact(
        self, transaction: ServerTransaction, contact: NameAddr, after: list[Binding], now: float
    ) -> None:
        request = transaction.request
        uri = contact.uri
        if not isinstance(uri, SipUri):
            raise _Refused(400, "Contact is not a SIP URI")
        if len(str(contact)) > self._config.limits.stored_text:
            raise _Refused(400, "Contact is too long")
        if uri.host == self._config.domain:
            raise _Refused(403, "Contact leads back to this registrar")  # RFC 5627 section 5.1
        expires = self._expires(contact, request.expires)
        new = Binding(uri, transaction.flow)
        instance = contact.param("+sip.instance") or ""
        new.instance = instance if names_a_device(instance) else ""
        try:
            new.by_flow(reg_id_of(request, contact))
        except OutboundRefused as refused:
            raise _Refused(refused.status, refused.reason) from refused
        # The same text once: few programs are in use. Those of nobody any more are freed.
        new.user_agent = intern((request.first("User-Agent") or "")[: self._config.limits.stored_text])
        new.abilities = Abilities(self._config.quirks.of(new.user_agent))
        replaced = [binding for binding in after if _same_device(binding, new)]
        for binding in replaced:
            _check_order(binding, request.call_id, request.cseq.number)
            if binding.user_agent == new.user_agent:  # else it is another program, which has yet to show what it takes
                new.abilities = binding.abilities
        if expires > 0 and new.instance:
            new.generation = self._generation(new, request.call_id, replaced, after)
        for binding in replaced:
            after.remove(binding)
        new.renewed = bool(replaced)
        if expires == 0:
            return
        new.abilities.told_by(request)
        new.q = _q(contact)
        new.expires_at = now + expires
        new.refreshed_at = now
        new.call_id, new.cseq = request.call_id, request.cseq.number
        new.path = tuple(request.values("Path"))
        if new.path and target_of(parse_name_addr(new.path[0]).uri) is None:
            raise _Refused(400, "Path leads nowhere")
        after.append(new)

    def _generation(self, new: Binding, call_id: str, replaced: list[Binding], after: list[Binding]) -> str:
        """RFC 5627 section 5.1: temporary GRUUs live as long as a device registers with the same Call-ID."""
        for binding in replaced or [one for one in after if same_instance(one.instance, new.instance)]:
            if binding.call_id == call_id and binding.generation:
                return binding.generation
        return self.gruus.generation()

    def _expires(self, contact: NameAddr, header: int | None) -> int:
        lifetimes = self._config.lifetimes
        text = contact.param("expires")
        if text is not None:
            expires = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else lifetimes.default
        else:
            expires = lifetimes.default if header is None else header
        if 0 < expires < lifetimes.minimum:
            raise _Refused(423, None, ("Min-Expires", str(lifetimes.minimum)))
        return min(expires, lifetimes.maximum)

    def _accept(self, transaction: ServerTransaction, aor: str, now: float) -> None:
        request = transaction.request
        supported = request.supported
        gruu = "gruu" in supported
        bindings = self._bindings.get(aor, ())
        headers = [("Contact", self._shown(aor, binding, now, gruu=gruu)) for binding in bindings]
        headers += [("Path", value) for value in request.lines("Path")]
        if OPTION in supported and any(one.reg_id and one.flow is transaction.flow for one in bindings):
            headers.append(("Require", OPTION))  # RFC 5626 section 6
            if request.one_via and transaction.flow.callable_back:
                # The keep-alive of a WebSocket is its own ping (RFC 7118 section 6).
                headers.append(("Flow-Timer", str(self._config.lifetimes.flow_timer)))
        # RFC 3261 10.3 step 8: phones without a clock of their own set theirs by it.
        headers.append(("Date", format_date(datetime.fromtimestamp(now + self._epoch, UTC))))
        self._layer.answer(transaction, 200, None, now, headers=headers)

    def _shown(self, aor: str, binding: Binding, now: float, *, gruu: bool) -> str:
        """Returns a binding as a Contact says it, with its GRUUs for who supports them (RFC 5627 section 5.2)."""
        params = [("expires", str(max(round(binding.expires_at - now), 0)))]
        if binding.q != MAX_Q:
            params.append(("q", f"{binding.q:.3g}"))
        if binding.instance:
            params.append(("+sip.instance", quote_string(binding.instance)))
            if binding.reg_id:
                params.append(("reg-id", binding.reg_id))
            if gruu and binding.generation:
                params.append(("pub-gruu", quote_string(self.gruus.public(aor, binding.instance))))
                params.append(("temp-gruu", quote_string(self.gruus.temporary(binding.generation))))
        return f"<{binding.contact}>" + "".join(f";{name}={value}" for name, value in params)

    def remove(self, aor: str, now: float) -> None:
        """Forgets all contacts of a person who may not sign on any more, or must do so anew."""
        if aor in self._bindings:
            self._put(aor, (), now)
            self._tell(aor, now)
            self._store.save(aor, (), _ignore)

    def forget_flow(self, flow: Flow) -> set[str]:
        """Returns who registered by a connection that is gone, and forgets that."""
        return self._on_flow.pop(flow.id, set())

    def drop(self, aor: str, binding: Binding, now: float) -> None:
        """Forgets one contact, if it is still there as it was."""
        before = self._bindings.get(aor, ())
        if binding not in before:
            return
        after = tuple(one for one in before if one is not binding)
        self._put(aor, after, now)
        self._tell(aor, now)
        self._store.save(aor, tuple(one.stored(aor, self._epoch) for one in after), _ignore)

    # -- the table ----------------------------------------------------------------------------------------------------

    def _put(self, aor: str, bindings: tuple[Binding, ...], now: float) -> None:
        self._replace(aor, bindings)
        if bindings:
            self._expiries.add(aor, min(binding.expires_at for binding in bindings), now)

    def _replace(self, aor: str, bindings: tuple[Binding, ...]) -> None:
        before = self._bindings.get(aor, ())
        self._count += len(bindings) - len(before)
        self.gruus.keep(aor, _generations(before), _generations(bindings))
        if bindings:
            self._bindings[aor] = bindings
        else:
            self._bindings.pop(aor, None)

    def _tell(self, aor: str, now: float) -> None:
        bindings = self._bindings.get(aor, ())
        agents = tuple(dict.fromkeys(binding.user_agent for binding in bindings))
        self._changed(SipRegistration(aor=aor, contacts=len(bindings), user_agents=agents), now)

    def _expire(self, aor: str, now: float) -> float | None:
        bindings = self._bindings.get(aor)
        if bindings is None:
            return None
        left = tuple(binding for binding in bindings if binding.expires_at > now)
        if len(left) < len(bindings):
            self._replace(aor, left)
            self._store.save(aor, tuple(b.stored(aor, self._epoch) for b in left), _ignore)
            self._tell(aor, now)
        return min((binding.expires_at for binding in left), default=None)


def _ignore(durable: bool, now: float) -> None:
    """An expiry that was not kept is found again at the next start, by its time."""


def _check_order(binding: Binding, call_id: str, cseq: int) -> None:
    """RFC 3261 10.3 step 7."""
    if binding.call_id == call_id and cseq <= binding.cseq:
        raise _Refused(500, "CSeq is not greater than the last")


def _same_device(old: Binding, new: Binding) -> bool:
    """Whether a contact takes the place of another: the same URI (RFC 3261) or instance and reg-id (RFC 5626).

    An instance without reg-id on the same transport is the same device as well: clients restart on another port, and
    without this their users would get everything twice until the old contact expires. Two flows of one instance are two
    bindings, though they have one URI.
    """
    same = old.instance != "" and same_instance(old.instance, new.instance)
    if same and old.reg_id and new.reg_id:
        return old.reg_id == new.reg_id
    if same and not old.reg_id and not new.reg_id and old.transport == new.transport:
        return True
    return old.uri.equivalent(new.uri)


def _generations(bindings: Iterable[Binding]) -> list[tuple[str, str]]:
    return [(binding.generation, binding.instance) for binding in bindings if binding.generation]


def _q(contact: NameAddr) -> float:
    text = contact.param("q")
    if text is None:
        return MAX_Q
    if _QVALUE.fullmatch(text) is None:
        raise _Refused(400, "Contact: q is not a number from 0 to 1")
    return float(text)


def _request_uri(uri: SipUri) -> str:
    """Returns a contact as a Request-URI, which may hold neither headers nor a method (RFC 3261 19.1.1, table 1)."""
    if not uri.headers and not uri.has_param("method"):
        return str(uri)
    return str(uri.replace(headers=(), params=tuple(pair for pair in uri.params if pair[0].lower() != "method")))
