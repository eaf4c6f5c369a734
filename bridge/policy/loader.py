"""From a policy file to a Policy: every name, value and reference checked, every mistake told with its place."""

import re
import tomllib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any, cast

import attrs

from bridge.policy.clocks import read_hours, zone_problem
from bridge.policy.detectors import VALIDATORS
from bridge.policy.errors import PolicyError, Problem
from bridge.policy.folding import SYMBOLS
from bridge.policy.language import DEFAULT_MARK, Example, Group, Lexicon, Policy, Rule, RuleDirection
from bridge.policy.matcher import compile_pattern
from bridge.policy.positions import locate
from bridge.policy.reading import MISSING, Report, TableReader, known, type_name
from bridge.policy.values import (
    ASSURANCES,
    CONVERSATIONS,
    DEFAULT_DENY,
    DIRECTIONS,
    EFFECTS,
    KINDS,
    MODES,
    Assurance,
    Conversation,
    Direction,
    Effect,
    GroupSource,
    Kind,
    Mode,
    NormalForm,
    Party,
    default_normal_form,
)

FILE_LIMIT = 16 << 20
"""Bytes that a policy file, or a file of words, may hold."""
TERM_LIMIT = 256
"""Characters of one lexicon word."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}\Z")
_DECODE_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
_RULE_DIRECTIONS = ("outbound", "inbound", "both")
_TERM_KINDS = ("network", "domain", "group", "person", "contact")


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


@attrs.frozen(kw_only=True)
class Surroundings:
    """What a policy refers to beyond its own file.

    ``networks``: the ids of the configured networks. ``domains``: the company's SIP domains, for the direction of
    ``[[test]]`` tables. ``groups``: the directory, asked for ``ldap:`` entries. ``normal_form``: how identity compares
    names on a network.
    """

    networks: frozenset[str] = attrs.field(default=(), converter=_folded)
    domains: frozenset[str] = attrs.field(default=(), converter=_folded)
    groups: GroupSource | None = None
    normal_form: NormalForm = default_normal_form

    def party(self, text: str) -> Party:
        """``alice@corp.example`` or ``aim/name`` as a party. Raises ValueError for anything else."""
        return Party.parse(text, networks=self.networks, normal_form=self.normal_form)


def read_file(path: FilePath, what: str) -> str:
    """A UTF-8 text within the limit. Raises PolicyError that names the file."""
    try:
        with path.open("rb") as stream:
            data = stream.read(FILE_LIMIT + 1)
        if len(data) > FILE_LIMIT:
            raise ValueError(f"is larger than {FILE_LIMIT} bytes")
        return data.decode("utf-8-sig")
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        reason = f"is not UTF-8 at byte {error.start}"
    except ValueError as error:
        reason = str(error)
    raise PolicyError((Problem(file=str(path), line=0, column=0, table="", key="", message=f"{what} {reason}"),))


def parse_policy(text: str, *, file: str, base: FilePath, surroundings: Surroundings) -> Policy:
    """The policy in ``text``. ``file`` names it in messages; ``words_file`` is looked up from ``base``.

    Raises PolicyError with every problem found.
    """
    document, report = _decode(text, file)
    loader = _Loader(report, base, surroundings)
    policy = loader.policy(TableReader(report, (), "", document))
    if report.problems:
        raise PolicyError(tuple(report.problems))
    return policy


def _decode(text: str, file: str) -> tuple[dict[str, Any], Report]:
    line = column = 0
    try:
        return tomllib.loads(text), Report(file, locate(text.replace("\r\n", "\n")))
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _DECODE_PLACE.search(message)
        if place:
            message = message[: place.start()]
            lines = text.split("\n")
            line, column = (int(part) for part in place.groups()) if place[1] else (len(lines), len(lines[-1]) + 1)
        problem = f"not TOML: {message}"
    except RecursionError:
        problem = "not a policy: nested too deeply"
    raise PolicyError((Problem(file=file, line=line, column=column, table="", key="", message=problem),))


class _Loader:
    """Reads the tables in the order in which they refer to each other."""

    def __init__(self, report: Report, base: FilePath, surroundings: Surroundings) -> None:
        self._report = report
        self._base = base
        self._around = surroundings
        self._zone = "UTC"
        self._groups: dict[str, Group] = {}
        self._lexicons: dict[str, Lexicon] = {}
        self._rules: dict[str, Rule] = {}

    def policy(self, root: TableReader) -> Policy:
        version = self._head(root)
        self._read_groups(root.table("groups"))
        self._read_lexicons(root.table("lexicons"))
        for table in root.tables("rule"):
            self._read_rule(table)
        examples = tuple(self._read_example(table) for table in root.tables("test"))
        root.finish()
        return Policy(
            version=version,
            digest_clock=self._zone,
            groups=tuple(self._groups.values()),
            lexicons=tuple(self._lexicons.values()),
            rules=tuple(self._rules.values()),
            examples=examples,
        )

    def _head(self, root: TableReader) -> str:
        head = root.table("policy")
        if head is None:
            if "policy" not in root.values:
                root.problem("", "the table [policy] is missing")
            return ""
        version = head.string("version", required=True)
        zone = head.string("digest_clock")
        if zone is not None:
            problem = zone_problem(zone)
            if problem:
                head.problem("digest_clock", problem)
            else:
                self._zone = zone
        head.finish()
        return version or ""

    # Groups.

    def _read_groups(self, table: TableReader | None) -> None:
        if table is None:
            return
        entries: dict[str, tuple[str, ...]] = {}
        direct: dict[str, set[str]] = {}
        for name in table.values:
            if not _NAME.match(name):
                table.problem(name, "is not a name (letters, digits, . _ : - only, 64 at most)")
            value = table.take(name, list)
            elements = table.strings(name) or () if value is not MISSING and value else ()
            entries[name] = tuple(element for _, element in elements)
            direct[name] = set()
            for index, element in elements:
                self._add_entry(table, name, index, element, direct[name])
        for name, written in entries.items():
            members = _with_nested(name, entries, direct)
            if members is None:
                table.problem(name, f"group {name!r} contains itself")
                members = set()
            line = self._report.places.get((*table.path, name), (0, 0))[0]
            self._groups[name] = Group(name=name, entries=written, members=frozenset(members), line=line)

    def _add_entry(self, table: TableReader, name: str, index: int, entry: str, members: set[str]) -> None:
        if entry.startswith("ldap:"):
            self._add_directory_group(table, name, index, entry, members)
        elif entry.startswith("group:"):
            if entry[6:] not in table.values:
                table.problem(name, f"unknown group {entry[6:]!r} {known(table.values)}", index)
        elif entry.startswith("person:"):
            members.add(entry[7:].casefold())
        else:
            try:
                members.add(self._around.party(entry.removeprefix("contact:")).address)
            except ValueError as error:
                table.problem(name, str(error), index)

    def _add_directory_group(self, table: TableReader, name: str, index: int, entry: str, members: set[str]) -> None:
        if self._around.groups is None:
            table.problem(name, f"{entry!r} needs a directory, and none is configured", index)
            return
        found = self._around.groups.members(entry)
        if found is None:
            table.problem(name, f"the directory knows no group {entry!r}", index)
            return
        members.update(member.casefold() for member in found)

    # Lexicons.

    def _read_lexicons(self, table: TableReader | None) -> None:
        if table is None:
            return
        for name in table.values:
            reader = table.table(name)
            if not _NAME.match(name):
                table.problem(name, "is not a name (letters, digits, . _ : - only, 64 at most)")
            if reader is not None:
                self._lexicons[name] = self._read_lexicon(name, reader)

    def _read_lexicon(self, name: str, table: TableReader) -> Lexicon:
        words = dict.fromkeys(self._check_words(table))
        words.update(dict.fromkeys(self._words_of_file(table)))
        patterns = table.strings("patterns") or ()
        for index, pattern in patterns:
            try:
                compile_pattern(pattern)
            except ValueError as error:
                table.problem("patterns", f"pattern {pattern!r} is refused: {error}", index)
        validators = table.strings("validators") or ()
        for index, validator in validators:
            if validator not in VALIDATORS:
                table.problem("validators", f"unknown validator {validator!r} {known(VALIDATORS)}", index)
        whole_words = table.flag("whole_words", default=True)
        table.finish()
        if not {"words", "words_file", "patterns", "validators"} & set(table.values):
            table.problem("", "needs words, words_file, patterns or validators")
        return Lexicon(
            name=name,
            words=tuple(words),
            patterns=tuple(pattern for _, pattern in patterns),
            validators=tuple(validator for _, validator in validators if validator in VALIDATORS),
            whole_words=whole_words,
            line=table.line,
        )

    def _check_words(self, table: TableReader) -> list[str]:
        good = []
        for index, word in table.strings("words") or ():
            problem = word_problem(word)
            if problem:
                table.problem("words", f"{word[:40]!r} {problem}", index)
            else:
                good.append(word.strip())
        return good

    def _words_of_file(self, table: TableReader) -> list[str]:
        name = table.string("words_file")
        if name is None:
            return []
        path = self._base / name
        try:
            lines = read_file(path, "words_file").splitlines()
        except PolicyError as error:
            table.problem("words_file", f"{path}: {error.problems[0].message.removeprefix('words_file ')}")
            return []
        good = []
        for number, line in enumerate(lines, 1):
            word = line.strip()
            if not word or word.startswith("#"):
                continue
            problem = word_problem(word)
            if problem:
                table.problem("words_file", f"{path}:{number}: {word[:40]!r} {problem}")
            good.append(word)
        return good

    # Rules.

    def _read_rule(self, table: TableReader) -> None:
        name = table.string("id", required=True)
        if name is not None:
            table.name = f"rule {name!r}"
            if not _NAME.match(name) or name == DEFAULT_DENY:
                table.problem("id", "is not a name (letters, digits, . _ : - only, 64 at most, not default-deny)")
            if name in self._rules:
                table.problem("id", f"is the id of the rule on line {self._rules[name].line} already")
        effect = table.choice("effect", EFFECTS, required=True)
        rule = Rule(
            id=name or "",
            effect=cast(Effect, effect or "forbid"),
            mode=cast(Mode, table.choice("mode", MODES) or "enforce"),
            senders=self._terms(table, "from"),
            recipients=self._terms(table, "to"),
            between=self._between(table),
            direction=cast(RuleDirection | None, table.choice("direction", _RULE_DIRECTIONS)),
            kinds=cast(frozenset[Kind] | None, table.choices("kinds", KINDS)),
            conversation=cast(Conversation | None, table.choice("conversation", CONVERSATIONS)),
            assurance=cast(frozenset[Assurance] | None, table.choices("assurance", ASSURANCES)),
            hours=read_hours(table, self._zone),
            content_types=self._globs(table, "content_types"),
            file_names=self._globs(table, "file_names"),
            user_agents=self._globs(table, "user_agents"),
            larger_than=table.count("larger_than"),
            smaller_than=table.count("smaller_than"),
            lexicon=self._lexicon_names(table),
            reason=table.string("reason") or "",
            mark=table.string("mark") or DEFAULT_MARK,
            alert=table.flag("alert", default=False),
            polite=table.flag("polite", default=False) or None,
            line=table.line,
        )
        table.finish()
        if effect == "redact" and "lexicon" not in table.values:
            table.problem("effect", "redact needs a lexicon: it says what is taken out")
        if "mark" in table.values and effect != "redact":
            table.problem("mark", "is for rules with the effect redact alone")
        if "polite" in table.values and (
            effect != "forbid" or (rule.kinds is not None and "presence" not in rule.kinds)
        ):
            table.problem("polite", "is for rules that forbid presence alone")
        if name is not None and name not in self._rules:
            self._rules[name] = rule

    def _between(self, table: TableReader) -> tuple[str, str] | None:
        value = table.values.get("between")
        if isinstance(value, list) and len(value) == 2 and value[0] == value[1] and isinstance(value[0], str):
            table.asked.add("between")  # a group with itself is a fair condition: nobody in it writes to another
            term = self._term(table, "between", 0, value[0])
            terms = None if term is None else (term, term)
        else:
            found = self._terms(table, "between")
            if isinstance(value, list) and len(value) != 2:
                table.problem("between", f"needs two ends, has {len(value)}")
            terms = (found[0], found[1]) if found is not None and len(found) == 2 else None
        if "between" in table.values:
            for key in ("from", "to"):
                if key in table.values:
                    table.problem(key, "cannot stand beside between")
        return terms

    def _terms(self, table: TableReader, key: str) -> tuple[str, ...] | None:
        elements = table.strings(key)
        if elements is None:
            return None
        terms = (self._term(table, key, index, element) for index, element in elements)
        return tuple(dict.fromkeys(term for term in terms if term is not None))

    def _term(self, table: TableReader, key: str, index: int, text: str) -> str | None:
        """A term in normal form, or None where it is wrong."""
        if text == "any":
            return text
        kind, colon, name = text.partition(":")
        problem = None
        if not colon or kind not in _TERM_KINDS:
            problem = f"unknown term {text!r} (any, or one of {', '.join(f'{kind}:' for kind in _TERM_KINDS)})"
        elif not name.strip():
            problem = f"term {text!r} names nothing"
        elif kind == "network" and name.casefold() not in self._around.networks:
            problem = f"unknown network {name!r} {known(self._around.networks)}"
        elif kind == "group" and name not in self._groups:
            problem = f"unknown group {name!r} {known(self._groups)}"
        elif kind == "domain" and ("@" in name or any(map(str.isspace, name))):
            problem = f"{name!r} is not a domain"
        elif kind == "contact":
            return self._contact(table, key, index, name)
        if problem:
            table.problem(key, problem, index)
            return None
        return text if kind == "group" else f"{kind}:{name.casefold()}"

    def _contact(self, table: TableReader, key: str, index: int, name: str) -> str | None:
        network, slash, user = name.partition("/")
        if not slash or not user:
            table.problem(key, f"contact {name!r} is not network/name", index)
        elif network.casefold() not in self._around.networks:
            table.problem(key, f"unknown network {network!r} {known(self._around.networks)}", index)
        else:
            return f"contact:{self._around.party(name).address}"
        return None

    def _globs(self, table: TableReader, key: str) -> tuple[str, ...] | None:
        elements = table.strings(key)
        return None if elements is None else tuple(element.casefold() for _, element in elements)

    def _lexicon_names(self, table: TableReader) -> tuple[str, ...] | None:
        elements = table.strings("lexicon")
        if elements is None:
            return None
        for index, name in elements:
            if name not in self._lexicons:
                table.problem("lexicon", f"unknown lexicon {name!r} {known(self._lexicons)}", index)
        return tuple(name for _, name in elements)

    # Tests.

    def _read_example(self, table: TableReader) -> Example:
        rule = table.string("rule")
        if rule is not None and rule not in self._rules and rule != DEFAULT_DENY:
            table.problem("rule", f"unknown rule {rule!r} {known(self._rules)}")
        example = Example(
            sender=self._party_text(table, "from"),
            recipient=self._party_text(table, "to"),
            expect=cast(Effect, table.choice("expect", EFFECTS, required=True) or "forbid"),
            rule=rule,
            kind=cast(Kind, table.choice("kind", KINDS) or "message"),
            text=table.string("text", empty=True),
            at=self._moment(table),
            direction=cast(Direction | None, table.choice("direction", DIRECTIONS)),
            conversation=cast(Conversation | None, table.choice("conversation", CONVERSATIONS)),
            content_type=table.string("content_type"),
            size=table.count("size"),
            user_agent=table.string("user_agent"),
            file_name=table.string("file_name"),
            sender_person=table.string("from_person"),
            recipient_person=table.string("to_person"),
            assurance=cast(Assurance, table.choice("assurance", ASSURANCES) or "authenticated"),
            line=table.line,
        )
        table.finish()
        return example

    def _party_text(self, table: TableReader, key: str) -> str:
        text = table.string(key, required=True)
        if text is None:
            return ""
        try:
            self._around.party(text)
        except ValueError as error:
            table.problem(key, str(error))
        return text

    def _moment(self, table: TableReader) -> datetime | None:
        table.asked.add("at")
        value = table.values.get("at")
        if value is None:
            if any(rule.hours is not None and rule.mode != "off" for rule in self._rules.values()):
                table.problem("", "at is missing, and rules with hours depend on it")
            return None
        if type(value) is str:
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                table.problem("at", f"{value!r} is not a time of ISO 8601 such as 2026-11-23T12:00:00+01:00")
                return None
        if not isinstance(value, datetime):
            table.problem("at", f"must be a time, not {type_name(value)}")
            return None
        if value.tzinfo is None:
            table.problem("at", "needs an offset from UTC, such as +01:00 or Z")
            return None
        return value


def word_problem(word: str) -> str | None:
    """Why ``word`` cannot be a lexicon word, or None."""
    if len(word) > TERM_LIMIT:
        return f"has {len(word)} characters, the limit is {TERM_LIMIT}"
    if not word.translate(SYMBOLS).strip():
        return "holds nothing that a reader sees"
    return None


def _with_nested(name: str, entries: dict[str, tuple[str, ...]], direct: dict[str, set[str]]) -> set[str] | None:
    """The members of a group and of the groups within it; None where it contains itself."""
    members: set[str] = set()
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        group = waiting.pop()
        if group in seen:
            continue
        seen.add(group)
        members |= direct[group]
        nested = [entry[6:] for entry in entries[group] if entry.startswith("group:") and entry[6:] in direct]
        if name in nested:
            return None
        waiting.extend(nested)
    return members
