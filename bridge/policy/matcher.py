"""Lexicons compiled: one Aho-Corasick automaton for words, one RE2 set for patterns, validators behind a prefilter.

A text is first touched (what could be in it, at C speed, without offsets) and only then searched for places. What is
looked for and how evasion is met is told in docs/reference/policy.md.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import ahocorasick
import attrs
import re2

from bridge.policy.confusables import is_unspaced
from bridge.policy.detectors import VALIDATORS, Validator
from bridge.policy.folding import (
    JOINED,
    PLAIN,
    RIGHT_TO_LEFT_OVERRIDE,
    SYMBOLS,
    WORDS,
    Form,
    Table,
    collapse,
    collapse_form,
    display_order,
    displayed,
    joins,
    trace,
    with_decoration,
)
from bridge.policy.language import Lexicon
from bridge.policy.values import Hit

PATTERN_MEMORY = 1 << 20
"""Bytes that RE2 may take for one pattern."""
SET_MEMORY = 64 << 20
"""Bytes that RE2 may take for all patterns together."""
PATTERN_LIMIT = 5_000
"""Steps of a compiled pattern."""
REPETITION_LIMIT = 600
"""Steps that counted repetitions may add to a pattern (``.{0,100}`` adds about 300)."""
REPETITION_SUM = 2_000
"""The same over all patterns. RE2 is linear in the text, but each character may cost as much as there are steps that
can be alive together; these come from repetitions, and this bounds what a hostile text can make of a careless set."""
PRECEDING_LIMIT = 128
"""Characters of the text before that are looked at: more than a word, a card or an account number takes, letter by
letter too. Each costs time with every message of a conversation."""
GLUED_MESSAGES = 3
GLUED_LIMIT = 48
"""Of so many messages before, and so many characters, the parts of one word are put together."""

Found = tuple[int, str, int, int]
"""The lexicon's number, the term, start and end in the original text."""

_SPELLED_FROM = 3
"""Letters that a word needs before "f a l c o n" counts for it."""
_JOINED_FROM = 6
"""Letters that a term of several words needs before it counts without its spaces."""
_SPELLED_WORDS = 3
"""Words of a term for which each may be spelled out by itself."""
_PLAIN_PUNCTUATION = frozenset(" -_'./")
# The first entries of the set tell about the text. An empty pattern is found in every text: where it is not, RE2 ran
# out of memory, and its answer "nothing found" must not be believed. The others find punctuation inside a word, once
# and twice.
_LETTER, _BREAK = r"[\pL\pN]", r"[^\pL\pN\pM \t\r\n]+"
_BROKEN = f"{_LETTER}{_BREAK}{_LETTER}"
_BROKEN_TWICE = rf"{_LETTER}{_BREAK}[\pL\pN\pM]+{_BREAK}{_LETTER}"
_TELLING = ("", _BROKEN, _BROKEN_TWICE)
_PROBES = ("", "a", "- -", "a\nb")


def compile_pattern(pattern: str) -> "re2._Regexp":
    """``pattern`` in RE2's syntax, compiled within limits. Raises ValueError that says why it is refused."""
    try:
        compiled = re2.compile(pattern, _options(PATTERN_MEMORY))
    except re2.error as error:
        reason = error.args[0] if error.args else error
        raise ValueError(reason.decode() if isinstance(reason, bytes) else str(reason)) from None
    except UnicodeEncodeError:
        raise ValueError("holds half a surrogate pair") from None
    if compiled.programsize > PATTERN_LIMIT:
        raise ValueError(f"compiles to {compiled.programsize} steps, the limit is {PATTERN_LIMIT}")
    if repetition(pattern) > REPETITION_LIMIT:
        raise ValueError(f"its repetitions make {repetition(pattern)} steps, the limit is {REPETITION_LIMIT}")
    if any(match.start() == match.end() for probe in _PROBES for match in compiled.finditer(probe)):
        raise ValueError("matches the empty text, so it would match every text")
    return compiled


def repetition(pattern: str) -> int:
    """The steps by which ``pattern`` grows beyond its own length, classes of many characters counted as one step."""
    options = _options(PATTERN_MEMORY)
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        size = re2.compile(pattern.encode(), options).programsize
    except re2.error:  # an escape beyond Latin-1
        size = re2.compile(pattern, _options(PATTERN_MEMORY)).programsize
    return max(0, int(size) - len(pattern))


def _options(memory: int) -> re2.Options:
    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False
    return options


@attrs.frozen(kw_only=True)
class _Needle:
    """What the automaton finds: ``text`` as it stands there, and whose term it is (bits of lexicons, and names)."""

    text: str
    lexicons: int
    terms: tuple[tuple[int, str], ...]


@attrs.frozen(kw_only=True)
class _Entry:
    """An entry of the set: a pattern or a validator of lexicon number ``lexicon``."""

    lexicon: int
    term: str
    pattern: "re2._Regexp | None" = None
    validator: Validator | None = None


def _is_symbolic(term: str) -> bool:
    """Whether punctuation is part of the term itself ("c++", "$$$", "a&b")."""
    seen = term.translate(SYMBOLS).strip()
    if not seen.translate(JOINED).strip():
        return True
    edges = seen[0] + seen[-1]
    return bool(set(seen) - _PLAIN_PUNCTUATION - set(seen.translate(WORDS))) or " " in edges.translate(WORDS)


def _spelled(word: str) -> str:
    return " ".join(word) if len(word) >= _SPELLED_FROM or is_unspaced(word[0]) else word


def _spellings(words: Sequence[str]) -> set[str]:
    """A term as it stands in collapsed text: as written, run together, spelled out in whole or by words."""
    together = "".join(words)
    spellings = {" ".join(words), _spelled(together)}
    if len(together) >= _JOINED_FROM:
        spellings.add(together)
    if len(words) <= _SPELLED_WORDS:
        spellings.update(" ".join(choice) for choice in product(*({word, _spelled(word)} for word in words)))
    return spellings


def _with_edges(spelling: str, *, whole: bool) -> str:
    """Spaces where the term must begin or end a word: not in writing without spaces between words."""
    lead = " " if whole and not is_unspaced(spelling[0]) else ""
    trail = " " if whole and not is_unspaced(spelling[-1]) else ""
    return f"{lead}{spelling}{trail}"


class _Needles:
    """Collects needles and builds the automaton."""

    def __init__(self) -> None:
        self._terms: dict[str, dict[tuple[int, str], None]] = {}

    def add(self, text: str, lexicon: int, term: str) -> None:
        self._terms.setdefault(text, {})[lexicon, term] = None

    def build(self) -> Any:
        if not self._terms:
            return None
        automaton = ahocorasick.Automaton(ahocorasick.STORE_ANY)
        for text, terms in self._terms.items():
            bits = 0
            for lexicon, _ in terms:
                bits |= 1 << lexicon
            automaton.add_word(text, _Needle(text=text, lexicons=bits, terms=tuple(terms)))
        automaton.make_automaton()
        return automaton


class Matcher:
    """The lexicons of one snapshot, compiled. Immutable; lexicons are named by their number, sets of them are bits.

    Raises ValueError if all patterns together exceed RE2's memory or what repetitions may cost.
    """

    def __init__(self, lexicons: Sequence[Lexicon]) -> None:
        self._names = tuple(lexicon.name for lexicon in lexicons)
        words, symbols = _Needles(), _Needles()
        self._entries: list[_Entry] = []
        self._whole = 0
        for number, lexicon in enumerate(lexicons):
            self._whole |= lexicon.whole_words << number
            for term in lexicon.words:
                _add_term(words, symbols, number, lexicon, term)
            self._entries.extend(
                _Entry(lexicon=number, term=pattern, pattern=compile_pattern(pattern)) for pattern in lexicon.patterns
            )
            self._entries.extend(
                _Entry(lexicon=number, term=name, validator=VALIDATORS[name]) for name in lexicon.validators
            )
        steps = sum(repetition(pattern) for lexicon in lexicons for pattern in lexicon.patterns)
        if steps > REPETITION_SUM:
            raise ValueError(f"the repetitions of all patterns make {steps} steps, the limit is {REPETITION_SUM}")
        self._words = words.build()
        self._symbols = symbols.build()
        self._set = self._build_set()
        self._in_set = 0
        for entry in self._entries:
            self._in_set |= 1 << entry.lexicon

    def _build_set(self) -> re2.Set:
        patterns = re2.Set.SearchSet(_options(SET_MEMORY))
        for telling in _TELLING:
            patterns.Add(telling)
        for entry in self._entries:
            patterns.Add(entry.validator.prefilter if entry.validator else entry.term)
        try:
            patterns.Compile()
        except re2.error:
            raise ValueError("all patterns together take more memory than RE2 is given") from None
        return patterns

    # Touching: which lexicons could be in a text.

    def touches(self, text: str, preceding: str = "") -> int:
        """The lexicons (bits) that may be found in ``text``, or across the end of ``preceding``; 0 is certain."""
        bits = self._touch(text)
        if preceding:
            for before in _befores(preceding):
                bits |= self._touch(before + text)
        return bits

    def _touch(self, text: str) -> int:
        bits = 0
        if not text.isascii() or not text.isprintable():
            plain = text.translate(PLAIN)
            if plain != text:
                bits |= self._touch_odd(text)
            text = plain
        bits |= self._touch_words(collapse(text.translate(WORDS)))
        found, breaks = self._touch_set(text)
        bits |= found
        if breaks and self._words is not None:
            joined = text.translate(JOINED)
            bits |= self._touch_words(collapse(joined) if "  " in joined else f" {joined} ")
            if breaks > 1:
                bits |= self._touch_words(joins(text).text)
        if self._symbols is not None:
            for _, needle in self._symbols.iter(collapse(text.translate(SYMBOLS))):
                bits |= needle.lexicons
        return bits

    def _touch_words(self, folded: str) -> int:
        bits = 0
        if self._words is not None:
            for _, needle in self._words.iter(folded):
                bits |= needle.lexicons
        return bits

    def _touch_odd(self, text: str) -> int:
        """What the plain form does not tell: patterns on the text as it came, and text that is turned around."""
        bits = self._touch_set(_encodable(text))[0] if self._in_set else 0
        if RIGHT_TO_LEFT_OVERRIDE in text:
            bits |= self._touch(displayed(text))
        return bits

    def _touch_set(self, text: str) -> tuple[int, int]:
        """Lexicons whose patterns may be in the text, and how often (0, 1, 2 or more) punctuation breaks a word."""
        found = self._set.Match(text)
        if not found or 0 not in found:
            return self._in_set, 2
        bits = breaks = 0
        for index in found:
            if index >= len(_TELLING):
                bits |= 1 << self._entries[index - len(_TELLING)].lexicon
            else:
                breaks = max(breaks, index)
        return bits, breaks

    # Searching: where.

    def find(self, text: str, wanted: int, preceding: str = "") -> tuple[Hit, ...]:
        """Every entry of the ``wanted`` lexicons (bits) in ``text``, by place; offsets are those of ``text``.

        With ``preceding`` (what the same sender wrote just before in this conversation, messages joined by newlines)
        entries that began there and end in ``text`` are found too.
        """
        hits = dict.fromkeys(
            Hit(lexicon=self._names[lexicon], term=term, start=start, end=with_decoration(text, end))
            for lexicon, term, start, end in self._search(text, wanted)
        )
        if preceding:
            for before in _befores(preceding):
                cut = len(before)
                for lexicon, term, start, end in self._search(before + text, wanted, before):
                    if start < len(before.rstrip()) and end > cut:
                        end = with_decoration(text, end - cut)
                        hits[Hit(lexicon=self._names[lexicon], term=term, start=0, end=end, straddles=True)] = None
        return tuple(sorted(hits, key=lambda hit: (hit.start, hit.end, hit.lexicon, hit.term)))

    def _search(self, text: str, wanted: int, before: str = "") -> Iterator[Found]:
        """Searches ``text``. ``before``: what it begins with, in which a place has to begin that is asked for; what
        does not is left out where that is cheap to tell.
        """
        yield from self._search_in_order(text, wanted, None, before)
        if RIGHT_TO_LEFT_OVERRIDE in text:
            yield from self._search_in_order(text, wanted, display_order(text), "")

    def _search_in_order(self, text: str, wanted: int, order: Sequence[int] | None, before: str) -> Iterator[Found]:
        if self._words is not None:
            for table in (WORDS, JOINED):
                form = collapse_form(trace(text, table, order))
                yield from _search_words(self._words, form, wanted, _reach(before, table))
            plain = trace(text, PLAIN, order)
            joined = joins(plain.text)
            yield from _search_words(self._words, joined.through(plain), wanted, None)
        if self._symbols is not None:
            form = collapse_form(trace(text, SYMBOLS, order))
            yield from self._search_symbols(self._symbols, form, wanted, _reach(before, SYMBOLS))
        if wanted & self._in_set:
            plain = trace(text, PLAIN, order)
            yield from self._search_entries(plain, wanted, len(before.translate(PLAIN)) if before else None)
            if plain.text != text and order is None:
                raw = Form(_encodable(text), range(len(text)))
                yield from self._search_entries(raw, wanted, len(before) if before else None)

    def _search_symbols(self, symbols: Any, form: Form, wanted: int, reach: int | None) -> Iterator[Found]:
        for last, needle in symbols.iter(form.text):
            start, end = last + 1 - len(needle.text), last + 1
            if reach is not None and start > reach:
                continue
            allowed = wanted if _stands_alone(form.text, start, end) else wanted & ~self._whole
            if needle.lexicons & allowed:
                yield from _named(needle, allowed, form.span(start, end))

    def _search_entries(self, form: Form, wanted: int, reach: int | None) -> Iterator[Found]:
        for entry in self._entries:
            if not wanted >> entry.lexicon & 1:
                continue
            for start, end in _spans(entry, form.text):
                if start < end and (reach is None or start < reach):
                    yield (entry.lexicon, entry.term, *form.span(start, end))


def _reach(before: str, table: Table) -> int | None:
    """Where at the latest in a collapsed form a place begins that begins in ``before``; None where there is none."""
    return len(collapse(before.translate(table))) if before else None


def _search_words(words: Any, form: Form, wanted: int, reach: int | None) -> Iterator[Found]:
    for last, needle in words.iter(form.text):
        if reach is not None and last + 1 - len(needle.text) > reach:
            continue
        if needle.lexicons & wanted:
            end = last + 1 - needle.text.endswith(" ")
            start = last + 1 - len(needle.text) + needle.text.startswith(" ")
            yield from _named(needle, wanted, form.span(start, end))


def _spans(entry: _Entry, text: str) -> Iterator[tuple[int, int]]:
    if entry.validator is not None:
        yield from entry.validator.find(text)
    elif entry.pattern is not None:
        for match in entry.pattern.finditer(text):
            yield match.span()


def _named(needle: _Needle, wanted: int, span: tuple[int, int]) -> Iterator[Found]:
    for lexicon, term in needle.terms:
        if wanted >> lexicon & 1:
            yield (lexicon, term, *span)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether letters at the ends of ``text[start:end]`` are not continued by their neighbours. Collapsed text."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (text[start].isalnum() and before.isalnum()) and not (text[end - 1].isalnum() and after.isalnum())


def _encodable(text: str) -> str:
    """``text`` with U+FFFD for each half of a surrogate pair, which UTF-8, and so RE2, cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
    return text


def _befores(preceding: str) -> tuple[str, ...]:
    """What came before, in each way that its messages may belong together with what follows.

    As words of their own; with the last few run together, for a word that is split over them and begins there; and all
    run together, for letters sent one by one. A word has to begin where a word may begin: of "lunch?", "topse" and
    "cret" no way but the second shows it.
    """
    tail = preceding[-PRECEDING_LIMIT:]
    messages = tail.split("\n")
    glued = [
        f"{' '.join(messages[:-count])} {''.join(messages[-count:])}"[-GLUED_LIMIT:].lstrip()
        for count in range(1, min(GLUED_MESSAGES, len(messages) - 1) + 1)
    ]
    return tuple(dict.fromkeys((f"{tail} ", *glued, "".join(messages)[-GLUED_LIMIT:])))


def _add_term(words: _Needles, symbols: _Needles, number: int, lexicon: Lexicon, term: str) -> None:
    if _is_symbolic(term):
        symbols.add(collapse(term.translate(SYMBOLS)).strip(), number, term)
        return
    for spelling in _spellings(term.translate(WORDS).split()):
        words.add(_with_edges(spelling, whole=lexicon.whole_words), number, term)
