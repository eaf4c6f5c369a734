"""Records: what is to be written down (``RecordDraft``), and the proof that it is (``Recorded``).

``Recorded`` is the licence to deliver. Delivery takes nothing else, and only the compliance log can make one, after
the commit: its constructor asks for a licence that is handed out once, to ``bridge.compliance.log``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, final

import orjson

from bridge.compliance.errors import UnrecordableError
from bridge.model.address import Address, Identity
from bridge.model.body import Edit, Retract
from bridge.model.envelope import Direction, Envelope
from bridge.model.ids import EventId, NetworkId

INTAKE = "intake"
DECISION = "decision"
OUTCOME = "outcome"
EDIT = "edit"
REMOTE_DELETE = "remote_delete"
REVIEW = "review"
PRESENCE_APPROVAL = "presence_approval"
SEARCH = "search"
EXPORT = "export"
HOLD = "hold"
RELEASE = "release"
DISPOSE = "dispose"
ERASE = "erase"
POLICY_CHANGE = "policy_change"
IDENTITY_CHANGE = "identity_change"
CONNECTOR_GAP = "connector_gap"
START = "start"
STOP = "stop"
INTAKES = frozenset({INTAKE, EDIT, REMOTE_DELETE})
"""The events that hold an envelope."""
EVENTS = INTAKES | {
    DECISION,
    OUTCOME,
    REVIEW,
    PRESENCE_APPROVAL,
    SEARCH,
    EXPORT,
    HOLD,
    RELEASE,
    DISPOSE,
    ERASE,
    POLICY_CHANGE,
    IDENTITY_CHANGE,
    CONNECTOR_GAP,
    START,
    STOP,
}
OUTCOMES = frozenset(
    {"accepted", "relayed", "delivered", "displayed", "failed", "expired", "blocked", "held", "unknown", "refused"}
)
DEFAULT_CLASS = "default"

Who = Identity | Address
"""Someone whose pseudonym goes into a leaf."""


class _Licence:
    """The right to make ``Recorded`` values; there is one."""


_LICENCE = _Licence()
_taken = False


def take_licence() -> _Licence:
    """Hands out the right to make ``Recorded`` values, once: to the compliance log, when it is imported.

    Raises:
        RuntimeError: it was handed out before.
    """
    global _taken  # noqa: PLW0603 - a licence that is handed out once is global by nature
    if _taken:
        raise RuntimeError("the licence to make Recorded values belongs to the compliance log alone")
    _taken = True
    return _LICENCE


@final
class Recorded:
    """A record that is durable: the licence to deliver what is in it.

    ``seq`` and ``hash`` name the leaf; ``event`` is the kind of record, ``msg_id`` the event id (empty where a record
    is about no message), ``envelope`` what was recorded (None for records that hold none).
    """

    __slots__ = ("envelope", "event", "hash", "msg_id", "seq")

    def __init__(
        self,
        licence: _Licence,
        seq: int,
        leaf_hash: bytes,
        event: str,
        msg_id: str,
        envelope: Envelope | None,
    ) -> None:
        if licence is not _LICENCE:
            raise TypeError("only the compliance log makes Recorded values, and only after the commit")
        self.seq: Final = seq
        self.hash: Final = leaf_hash
        self.event: Final = event
        self.msg_id: Final = EventId(msg_id)
        self.envelope: Final = envelope

    def __repr__(self) -> str:
        return f"Recorded({self.event} {self.msg_id or '-'} as leaf {self.seq})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Recorded value cannot be copied or pickled: it holds for this process and this log")


class RecordDraft:
    """A record before it is written: made by the functions of this module, taken by the compliance log.

    Attributes:
        event: the kind of record.
        msg_id: the event id of the message that it is about, or empty.
        envelope: the message itself, where this record is its intake.
        fields: what goes into the leaf as it is.
        outcomes: recipients with what became of each, and whether it may have arrived twice.
        payload: details that are sealed: JSON, or None.
        retention_class: how long the sealed part is kept.
        parent: the leaf that this one follows from, if it is not in the same entry.
        scans: the virus scanner's word on attachments, by their sha256.
        free: whether a caller chose the fields, so that they are checked before they go into a leaf.
        form: for decisions, equal where ``fields`` is.
    """

    __slots__ = (
        "envelope",
        "event",
        "fields",
        "form",
        "free",
        "msg_id",
        "outcomes",
        "parent",
        "payload",
        "retention_class",
        "scans",
    )

    def __init__(
        self,
        event: str,
        *,
        msg_id: str = "",
        envelope: Envelope | None = None,
        fields: dict[str, Any] | None = None,
        outcomes: tuple[tuple[Who, str, bool], ...] = (),
        payload: bytes | None = None,
        retention_class: str = DEFAULT_CLASS,
        parent: Recorded | int | None = None,
        scans: Mapping[str, str] | None = None,
        free: bool = False,
        form: tuple[object, ...] | None = None,
    ) -> None:
        self.event = event
        self.msg_id = msg_id
        self.envelope = envelope
        self.fields: dict[str, Any] = {} if fields is None else fields
        self.outcomes = outcomes
        self.payload = payload
        self.retention_class = retention_class
        self.parent = parent.seq if isinstance(parent, Recorded) else parent
        self.scans = scans
        self.free = free
        self.form = form

    def __repr__(self) -> str:
        return f"RecordDraft({self.event} {self.msg_id or '-'})"


def _json(detail: Mapping[str, Any], what: str) -> bytes:
    try:
        return orjson.dumps(detail, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise UnrecordableError(f"{what}: {error}") from error


def intake(
    envelope: Envelope,
    *,
    identity_version: int,
    retention_class: str = DEFAULT_CLASS,
    content_flags: Sequence[str] = (),
    scans: Mapping[str, str] | None = None,
) -> RecordDraft:
    """Returns the record that a message came in; that of an edit or of a retraction is named so.

    Args:
        envelope: the message.
        identity_version: the version of the identity map that its people were resolved with.
        retention_class: how long its body is kept.
        content_flags: what detectors saw in it.
        scans: the virus scanner's word on attachments, by their sha256; without one it is ``unscanned``.
    """
    body = type(envelope.body)
    event = EDIT if body is Edit else REMOTE_DELETE if body is Retract else INTAKE
    return RecordDraft(
        event,
        msg_id=envelope.id,
        envelope=envelope,
        fields={"identity_map_version": identity_version, "content_flags": list(content_flags)},
        retention_class=retention_class,
        scans=scans,
    )


def dead_letter(
    event_id: EventId,
    *,
    network: NetworkId,
    account: str,
    direction: Direction,
    raw: bytes,
    reason: str,
    retention_class: str = DEFAULT_CLASS,
) -> RecordDraft:
    """Returns the intake of something that could not be read as a message: its bytes are sealed, never dropped.

    Args:
        event_id: its id.
        network: where it came from.
        account: the account that received it, or whose it claims to be.
        direction: which way it was going.
        raw: what came.
        reason: why it could not be read.
        retention_class: how long it is kept.
    """
    payload = {"raw": raw.hex(), "reason": reason.encode("utf-8", "replace").decode(), "account": account}
    return RecordDraft(
        INTAKE,
        msg_id=event_id,
        fields={
            "connector": network,
            "network": network,
            "direction": direction.value,
            "content_flags": ["malformed"],
        },
        payload=_json(payload, "dead letter"),
        retention_class=retention_class,
    )


def decision(
    event_id: EventId,
    *,
    effect: str,
    deciding: str,
    matched: Sequence[str],
    reason_code: str,
    policy_digest: str,
    would_have: Sequence[str] = (),
    alerts: Sequence[str] = (),
    parent: Recorded | int | None = None,
) -> RecordDraft:
    """Returns the record of what policy said: the effect, the rule that decided and all that matched.

    Args:
        event_id: the message.
        effect: ``allow``, ``redact``, ``hold`` or ``forbid``.
        deciding: the id of the rule that decided; empty for the default.
        matched: the ids of all rules that matched.
        reason_code: why, as a code.
        policy_digest: the digest of the policy snapshot.
        would_have: rules in shadow mode that would have decided otherwise.
        alerts: rules that raise an alert.
        parent: the intake, if it is not in the same entry.
    """
    fields: dict[str, Any] = {
        "decision": effect,
        "deciding": deciding,
        "rule_ids": list(matched),
        "reason_code": reason_code,
        "policy_digest": policy_digest,
    }
    if would_have:
        fields["would_have"] = list(would_have)
    if alerts:
        fields["alerts"] = list(alerts)
    form = (effect, deciding, tuple(matched), reason_code, policy_digest, tuple(would_have), tuple(alerts))
    return RecordDraft(DECISION, msg_id=event_id, fields=fields, parent=parent, form=form)


def outcome(
    event_id: EventId,
    *,
    recipient: Who,
    code: str,
    detail: str = "",
    maybe_duplicate: bool = False,
    parent: Recorded | int | None = None,
    retention_class: str = DEFAULT_CLASS,
) -> RecordDraft:
    """Returns the record of what became of a message for one recipient.

    Args:
        event_id: the message.
        recipient: for whom; the leaf has the pseudonym.
        code: one of ``OUTCOMES``; ``unknown`` where nothing better is known.
        detail: words of the network about it, which may name people: sealed.
        maybe_duplicate: whether it may have been delivered twice, and the network gives no way to tell.
        parent: the leaf that it follows from, such as the intake.
        retention_class: how long ``detail`` is kept.

    Raises:
        ValueError: the code is none of ``OUTCOMES``.
    """
    if code not in OUTCOMES:
        raise ValueError(f"unknown outcome {code!r}")
    payload = _json({"detail": detail.encode("utf-8", "replace").decode()}, "outcome") if detail else None
    return RecordDraft(
        OUTCOME,
        msg_id=event_id,
        outcomes=((recipient, code, maybe_duplicate),),
        payload=payload,
        retention_class=retention_class,
        parent=parent,
    )


def event(
    kind: str,
    *,
    actor: str,
    approver: str = "",
    event_id: EventId | None = None,
    parent: Recorded | int | None = None,
    fields: Mapping[str, Any] | None = None,
    detail: Mapping[str, Any] | None = None,
    retention_class: str = DEFAULT_CLASS,
) -> RecordDraft:
    """Returns any other record: reviews, searches, exports, holds, changes of policy and identity, gaps, start, stop.

    Args:
        kind: one of ``EVENTS``, none that has a function of its own.
        actor: who did it; a service names itself.
        approver: the second person, where one is asked for.
        event_id: the message that it is about, if any.
        parent: the leaf that it is about, if any.
        fields: what the leaf shows, beyond the rest: JSON without fractions.
        detail: what is sealed: JSON, such as the words of a search or the difference of a policy.
        retention_class: how long ``detail`` is kept.

    Raises:
        ValueError: the kind is not known, or has a function of its own.
        UnrecordableError: ``detail`` is not JSON.
    """
    if kind not in EVENTS or kind in INTAKES or kind in {DECISION, OUTCOME}:
        raise ValueError(f"no such record to make by name: {kind!r}")
    shown: dict[str, Any] = {"actor": actor}
    if approver:
        shown["approver"] = approver
    if fields:
        shown.update(fields)
    return RecordDraft(
        kind,
        msg_id=event_id or "",
        fields=shown,
        payload=None if detail is None else _json(detail, kind),
        retention_class=retention_class,
        parent=parent,
        free=True,
    )
