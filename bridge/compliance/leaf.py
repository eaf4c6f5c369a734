"""Leaves: the canonical JSON (RFC 8785) that is hashed into the log, and the pseudonyms in it.

A leaf shows who and what only as pseudonyms and commitments. Fields that do not apply are left out. Times are integers,
microseconds since the epoch. All keys are ASCII and all numbers integers below 2**53, for which orjson with sorted
keys writes exactly RFC 8785's form (a property test holds it against an independent implementation).
"""

import hmac
import re
from typing import Any

import orjson

from bridge.compliance.errors import CodecError, UnrecordableError
from bridge.compliance.tiles import MAX_ENTRY_BYTES
from bridge.model.address import Address, ConversationKey, Identity

VERSION = 1
SAFE_INTEGER = (1 << 53) - 1
_MICROSECONDS = 1_000_000
_CACHE_ENTRIES = 1 << 16
_SORTED = orjson.OPT_SORT_KEYS
_FORMS = 4096
_FORBIDDEN = re.compile(r"[^0-9A-Za-z-]")
"""What may need an escape in JSON; an event id has none of it."""


def microseconds(seconds: float) -> int:
    """Returns a time as leaves hold it.

    Raises:
        UnrecordableError: it is not a number, or beyond what RFC 8785 can write exactly.
    """
    try:
        value = round(seconds * _MICROSECONDS)
    except (ValueError, OverflowError) as error:
        raise UnrecordableError(f"{seconds!r} is not a point in time") from error
    if not -SAFE_INTEGER <= value <= SAFE_INTEGER:
        raise UnrecordableError(f"{seconds!r} is too far away for a point in time")
    return value


def canonical(fields: dict[str, Any]) -> bytes:
    """Returns the content of a leaf.

    Raises:
        UnrecordableError: a text is not valid Unicode, or the whole is too long for an entry of the log.
    """
    try:
        content = orjson.dumps(fields, option=_SORTED)
    except TypeError as error:
        raise UnrecordableError(f"leaf: {error}") from error
    if len(content) > MAX_ENTRY_BYTES:
        raise UnrecordableError(f"leaf: {len(content)} bytes; an entry of the log holds {MAX_ENTRY_BYTES}")
    return content


def check_free_fields(fields: dict[str, Any]) -> None:
    """Checks fields that callers chose: ASCII keys, integers that are exact, no fractions, at any depth.

    Raises:
        UnrecordableError: RFC 8785 and we would not write them alike; the message names the field.
    """
    for key, value in fields.items():
        if not key.isascii():
            raise UnrecordableError(f"leaf: the key {key!r} is not ASCII")
        _check_value(key, value)


def _check_value(key: str, value: object) -> None:
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if not -SAFE_INTEGER <= value <= SAFE_INTEGER:
            raise UnrecordableError(f"leaf: {key} is an integer that JSON does not hold exactly")
    elif isinstance(value, list | tuple):
        for item in value:
            _check_value(key, item)
    elif isinstance(value, dict):
        check_free_fields(value)
    else:
        raise UnrecordableError(f"leaf: {key} is a {type(value).__name__}, which a leaf does not hold")


def parse(content: bytes) -> dict[str, Any]:
    """Returns the fields of a leaf.

    Raises:
        CodecError: it is not canonical JSON, not an object, or lacks what every leaf has.
    """
    try:
        fields = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise CodecError(f"leaf: not JSON: {error}") from error
    if not isinstance(fields, dict) or orjson.dumps(fields, option=_SORTED) != content:
        raise CodecError("leaf: not canonical JSON")
    for name, kind in (("v", int), ("log_id", str), ("seq", int), ("event", str), ("t_intake", int)):
        if type(fields.get(name)) is not kind:
            raise CodecError(f"leaf: {name} is missing or of the wrong kind")
    if fields["v"] != VERSION:
        raise CodecError(f"leaf: version {fields['v']} is not known")
    return fields


class OutcomeLeaves:
    """Leaves of the outcome for one recipient, nothing sealed with it: what becomes of nearly every message.

    Args:
        log_id: the log's name.
    """

    __slots__ = ("_head",)

    def __init__(self, log_id: str) -> None:
        self._head = canonical({"event": "outcome", "log_id": log_id})[:-1]

    def leaf(
        self, pid: str, code: str, msg_id: str, parent: int, period: str, seq: int, moment: int, *, twice: bool
    ) -> bytes:
        """Returns the content of a leaf: what ``canonical`` makes of it.

        Args:
            pid: the recipient's pseudonym.
            code: one of ``record.OUTCOMES``.
            msg_id: the message; an event id.
            parent: the leaf that it follows from.
            period: the pseudonym's.
            seq: the leaf's own place.
            moment: microseconds since the epoch.
            twice: whether it may have arrived twice.
        """
        return (
            b'%b,"msg_id":"%b","outcome":[{"code":"%b",%b"pid":"%b"}],"parent_leaf":%d,"period":"%b","seq":%d,"t_intake":%d,"v":1}'
            % (
                self._head,
                msg_id.encode(),
                code.encode(),
                b'"maybe_duplicate":true,' if twice else b"",
                pid.encode(),
                parent,
                period.encode(),
                seq,
                moment,
            )
        )


def plain_name(name: str) -> bool:
    """Returns whether a text needs no escape in JSON: event ids do not."""
    return _FORBIDDEN.search(name) is None


class DecisionLeaves:
    """Leaves of decisions, from pieces: under one policy few of them differ in more than four numbers and an id.

    Args:
        log_id: the log's name.
    """

    __slots__ = ("_log_id", "_pieces")

    def __init__(self, log_id: str) -> None:
        self._log_id = log_id
        self._pieces: dict[tuple[object, ...], tuple[bytes, bytes, bytes]] = {}

    def leaf(
        self, form: tuple[object, ...], fields: dict[str, Any], msg_id: str, parent: int, seq: int, moment: int
    ) -> bytes:
        """Returns the content of a leaf: what ``canonical`` makes of it.

        Args:
            form: equal for drafts with equal ``fields``.
            fields: what policy said.
            msg_id: the message.
            parent: the leaf of its intake.
            seq: the leaf's own place.
            moment: microseconds since the epoch.

        Raises:
            UnrecordableError: as ``canonical``.
        """
        pieces = self._pieces.get(form) or self._make(form, fields)
        name = b'"%b"' % msg_id.encode() if plain_name(msg_id) else canonical({"": msg_id})[4:-1]
        out = b'%b%b,"parent_leaf":%d%b%d,"t_intake":%d%b' % (
            pieces[0],
            name,
            parent,
            pieces[1],
            seq,
            moment,
            pieces[2],
        )
        if len(out) > MAX_ENTRY_BYTES:
            raise UnrecordableError(f"leaf: {len(out)} bytes; an entry of the log holds {MAX_ENTRY_BYTES}")
        return out

    def _make(self, form: tuple[object, ...], fields: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
        known = {"event": "decision", "log_id": self._log_id, "v": VERSION, **fields}
        groups = (
            {key: value for key, value in known.items() if key < "msg_id"},
            {key: value for key, value in known.items() if "parent_leaf" < key < "seq"},
            {key: value for key, value in known.items() if key > "t_intake"},
        )
        head, middle, tail = (canonical(group)[1:-1] for group in groups)
        if len(self._pieces) >= _FORMS:
            self._pieces.clear()
        pieces = self._pieces[form] = (
            b'{%b,"msg_id":' % head,
            (b',%b,"seq":' % middle) if middle else b',"seq":',
            b",%b}" % tail,
        )
        return pieces


class Pseudonyms:
    """The pseudonyms of one period: 128 bits of HMAC-SHA256 under the period's key, in hexadecimal.

    The same person has the same one on all networks within a period, and another one in the next.

    Args:
        key: the period's key, 32 bytes.
        period: its name, such as ``2026-11``.
    """

    __slots__ = ("_cache", "_key", "period")

    def __init__(self, key: bytes, period: str) -> None:
        self._key = key
        self._cache: dict[object, str] = {}
        self.period = period

    def made_with(self, key: bytes, period: str) -> bool:
        """Returns whether these are the pseudonyms of that period under that key."""
        return self._key == key and self.period == period

    def _make(self, cached_as: object, text: str) -> str:
        cache = self._cache
        if len(cache) >= _CACHE_ENTRIES:
            cache.clear()
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            raise UnrecordableError(f"a name that is not valid Unicode: {text!a}") from error
        out = cache[cached_as] = hmac.digest(self._key, data, "sha256").hex()[:32]
        return out

    def of(self, who: Identity | Address) -> str:
        """Returns the pseudonym of a person, or of an address that nobody is known behind."""
        if type(who) is Address:
            address = who
        elif (person := who.person) is not None:  # type: ignore[union-attr]  # mypy does not narrow by `type() is`
            return self._cache.get(person) or self._make(person, f"person\x00{person}")
        else:
            address = who.address  # type: ignore[union-attr]
        return self._cache.get(address) or self._make(address, f"address\x00{address.network}\x00{address.user}")

    def of_person(self, person: str) -> str:
        """Returns the pseudonym of a corporate person."""
        return self._cache.get(person) or self._make(person, f"person\x00{person}")

    def of_conversation(self, key: ConversationKey) -> str:
        """Returns the pseudonym of a conversation: its id may name people too."""
        receiver = "" if key.receiver is None else f"\x00{key.receiver}"
        return self._cache.get(key) or self._make(key, f"conversation\x00{key.network}\x00{key.remote_id}{receiver}")
