"""A policy in force: compiled, indexed, immutable to its users. Put another in its place to change the policy."""

from collections.abc import Iterable, Sequence

import attrs

from bridge.model.cache import TwoGenerationCache
from bridge.policy.clocks import holds
from bridge.policy.conditions import Condition, message_conditions
from bridge.policy.digest import members_digest, policy_digest
from bridge.policy.index import KEY_LIMIT, Membership, MetadataIndex, numbers
from bridge.policy.language import Policy, Rule
from bridge.policy.loader import Surroundings
from bridge.policy.matcher import Matcher
from bridge.policy.redaction import redact
from bridge.policy.values import DEFAULT_DENY, Decision, Effect, Hit, Subject, seconds

DECISION_LIMIT = 32_768
"""Entries of the decision cache."""
_MINUTE_LIMIT = 2_048
_FIRST_MINUTE, _LAST_MINUTE = 0, 250_000_000_000 // 60  # 1970 to 9892
_OUTCOME_LIMIT = 4_096

_REASONS: dict[Effect, str] = {
    "allow": "",
    "redact": "parts of the text were taken out by policy",
    "hold": "held for review by policy",
    "forbid": "forbidden by policy",
}
_NO_RULE = "no rule of the policy allows this"

Key = tuple[str, str, str, str, str, int]


@attrs.frozen(kw_only=True, slots=True)
class _Late:
    """A rule that who, whither and when do not settle: it looks at the message, then at the text."""

    bit: int
    conditions: tuple[tuple[str, Condition], ...]
    lexicons: int


@attrs.frozen(kw_only=True, slots=True)
class _Entry:
    """What the metadata of a message settle: ``sure`` rules match. The others look at the message.

    ``lexical`` rules ask for lexicons alone, ``wanted`` of them all; ``conditional`` rules ask for more than the text.
    ``clean`` is the decision where none of them matches.
    """

    sure: int
    lexical: tuple[_Late, ...]
    conditional: tuple[_Late, ...]
    wanted: int
    clean: Decision


def _all_lexicons(rules: Iterable[_Late]) -> int:
    bits = 0
    for rule in rules:
        bits |= rule.lexicons
    return bits


class Snapshot:
    """A compiled policy. ``decide`` is the one question; ``load_policy`` makes snapshots.

    Raises ValueError where all patterns together exceed what they may cost.
    """

    def __init__(self, policy: Policy, surroundings: Surroundings) -> None:
        self.policy = policy
        self.surroundings = surroundings
        self.digest = policy_digest(policy)
        self.members_digest = members_digest(policy.groups)
        self.membership = Membership(policy.groups)
        self._rules = tuple(rule for rule in policy.rules if rule.mode != "off")
        self._index = MetadataIndex(self._rules, self.membership)
        self._numbers = {lexicon.name: number for number, lexicon in enumerate(policy.lexicons)}
        self._matcher = Matcher(policy.lexicons)
        self._late = {number: late for number, rule in enumerate(self._rules) if (late := self._late_of(number, rule))}
        self._late_bits = sum(1 << number for number in self._late)
        self._hours = {number: rule.hours for number, rule in enumerate(self._rules) if rule.hours is not None}
        self._timeless = (1 << len(self._rules)) - 1 - sum(1 << number for number in self._hours)
        modes = {mode: self._bits_where("mode", mode) for mode in ("enforce", "shadow", "notify")}
        self._enforced, self._shadow = modes["enforce"], modes["shadow"]
        self._alerting = modes["notify"] | (self._bits_where("alert", True) & self._enforced)
        self._effects = {effect: self._bits_where("effect", effect) for effect in _REASONS}
        self._minutes: dict[int, int] = {}
        self._outcomes: dict[int, Decision] = {}
        self._entries: dict[int, _Entry] = {}
        self._decisions: TwoGenerationCache[Key, _Entry] = TwoGenerationCache(DECISION_LIMIT)

    def _bits_where(self, name: str, value: object) -> int:
        return sum(1 << number for number, rule in enumerate(self._rules) if getattr(rule, name) == value)

    def _late_of(self, number: int, rule: Rule) -> _Late | None:
        conditions = message_conditions(rule)
        if not conditions and rule.lexicon is None:
            return None
        lexicons = sum(1 << self._numbers[name] for name in rule.lexicon or ())
        return _Late(bit=1 << number, conditions=conditions, lexicons=lexicons)

    def decide(self, subject: Subject, preceding: str = "") -> Decision:
        """What is to be done with ``subject``. The same subject always gets the same answer from one snapshot.

        ``preceding`` is what the same sender wrote just before in the same conversation (messages joined by newlines):
        words that are split over messages are found with it. Raises ValueError for a kind, direction, conversation or
        assurance that the language does not know, and for a time that no calendar holds.
        """
        minute = int(seconds(subject.at) // 60)
        in_time = self._minutes.get(minute)
        if in_time is None:
            in_time = self._at_minute(minute)
        sender, recipient = subject.sender, subject.recipient
        key = (sender.key, recipient.key, subject.direction, subject.kind, subject.conversation, in_time)
        entry = self._decisions.get(key)
        if entry is None:
            entry = self._enter(key, subject, in_time)
        if not entry.lexical and not entry.conditional:
            return entry.clean
        return self._look(entry, subject, preceding)

    def in_force(self, at: float) -> int:
        """Which rules hold at a time, as far as their hours go: the same number at all times when the same ones do."""
        minute = int(at // 60)
        bits = self._minutes.get(minute)
        return self._at_minute(minute) if bits is None else bits

    def find(self, text: str, lexicons: Sequence[str] | None = None, preceding: str = "") -> tuple[Hit, ...]:
        """Every entry of ``lexicons`` (all, where None) in ``text``. Raises KeyError for an unknown lexicon."""
        names = self._numbers if lexicons is None else lexicons
        return self._matcher.find(text, sum(1 << self._numbers[name] for name in names), preceding)

    def _at_minute(self, minute: int) -> int:
        """The rules whose hours hold in the minute (counted from the epoch)."""
        if not _FIRST_MINUTE <= minute <= _LAST_MINUTE:
            raise ValueError(f"no calendar holds the time {minute * 60} s after 1970")
        bits = self._timeless
        for number, stretches in self._hours.items():
            if any(holds(hours, minute * 60) for hours in stretches):
                bits |= 1 << number
        if len(self._minutes) >= _MINUTE_LIMIT:
            self._minutes = {}
        self._minutes[minute] = bits
        return bits

    def _enter(self, key: Key, subject: Subject, in_time: int) -> _Entry:
        bits = in_time & self._index.matching(
            subject.sender, subject.recipient, subject.direction, subject.kind, subject.conversation
        )
        entry = self._entries.get(bits)
        if entry is None:
            entry = self._make_entry(bits)
        if len(key[0]) <= KEY_LIMIT and len(key[1]) <= KEY_LIMIT:
            self._decisions.put(key, entry)
        return entry

    def _make_entry(self, bits: int) -> _Entry:
        sure = bits & ~self._late_bits
        late = [self._late[number] for number in numbers(bits & self._late_bits)]
        lexical = tuple(rule for rule in late if not rule.conditions)
        entry = _Entry(
            sure=sure,
            lexical=lexical,
            conditional=tuple(rule for rule in late if rule.conditions),
            wanted=_all_lexicons(lexical),
            clean=self._outcome(sure),
        )
        if len(self._entries) >= _OUTCOME_LIMIT:
            self._entries = {}
        self._entries[bits] = entry
        return entry

    def _look(self, entry: _Entry, subject: Subject, preceding: str) -> Decision:
        """The decision where rules depend on the message: cheap conditions first, then one scan of the text."""
        matched = entry.sure
        asking = entry.lexical
        wanted = entry.wanted
        if entry.conditional:
            holding = [
                late for late in entry.conditional if all(condition(subject) for _, condition in late.conditions)
            ]
            for late in holding:
                if not late.lexicons:
                    matched |= late.bit
            asking += tuple(late for late in holding if late.lexicons)
            wanted |= _all_lexicons(holding)
        text = subject.text
        hits: tuple[Hit, ...] = ()
        if wanted and text is not None and self._matcher.touches(text, preceding) & wanted:
            hits = self._matcher.find(text, wanted, preceding)
            found = 0
            for hit in hits:
                found |= 1 << self._numbers[hit.lexicon]
            for late in asking:
                if late.lexicons & found:
                    matched |= late.bit
        decision = entry.clean if matched == entry.sure else self._outcome(matched)
        if not hits or text is None:
            return decision
        redacted = None
        if decision.effect in {"redact", "hold"} and matched & self._enforced & self._effects["redact"]:
            redacted = self._redact(text, hits, sum(late.bit for late in asking) & self._enforced, matched)
        return attrs.evolve(decision, hits=hits, redacted_text=redacted)

    def _redact(self, text: str, hits: tuple[Hit, ...], asking: int, matched: int) -> str:
        """The text without what redacting rules find. It must not begin to match a rule that did not match before."""
        rules = [self._rules[number] for number in numbers(asking & self._effects["redact"])]
        others = numbers(asking & ~matched & (self._effects["hold"] | self._effects["forbid"]))
        strict = {name for number in others for name in self._rules[number].lexicon or ()}
        return redact(text, hits, rules, strict, self.find)

    def _outcome(self, matched: int) -> Decision:
        """The decision that a set of matching rules makes; texts and hits apart."""
        outcome = self._outcomes.get(matched)
        if outcome is None:
            outcome = self._make_outcome(matched)
            if len(self._outcomes) >= _OUTCOME_LIMIT:
                self._outcomes = {}
            self._outcomes[matched] = outcome
        return outcome

    def _make_outcome(self, matched: int) -> Decision:
        effect, deciding = self._strongest(matched & self._enforced)
        would, _ = self._strongest(matched & (self._enforced | self._shadow))
        rule = None if deciding is None else self._rules[deciding]
        return Decision(
            effect=effect,
            matched=self._ids(matched & self._enforced),
            deciders=self._ids(matched & self._enforced & self._effects[effect]),
            deciding=DEFAULT_DENY if rule is None else rule.id,
            reason=_NO_RULE if rule is None else rule.reason or _REASONS[effect],
            would_have=self._ids(matched & self._shadow),
            would_effect=would,
            notify=self._ids(matched & self._alerting),
            policy_digest=self.digest,
            polite=effect == "forbid" and rule is not None and bool(rule.polite),
        )

    def _strongest(self, matched: int) -> tuple[Effect, int | None]:
        """The strongest effect and the first rule that has it: forbid > hold > redact > allow.

        Redact needs a rule that allows beside it, for it says what must not go, not that the rest may.
        """
        for effect in ("forbid", "hold"):
            bits = matched & self._effects[effect]
            if bits:
                return effect, next(numbers(bits))
        allowing = matched & self._effects["allow"]
        if not allowing:
            return "forbid", None
        redacting = matched & self._effects["redact"]
        return ("redact", next(numbers(redacting))) if redacting else ("allow", next(numbers(allowing)))

    def _ids(self, bits: int) -> tuple[str, ...]:
        return tuple(self._rules[number].id for number in numbers(bits))
