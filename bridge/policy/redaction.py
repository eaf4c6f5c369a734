"""Taking out what a lexicon found, so that it is not found again."""

from collections.abc import Callable, Collection, Sequence

from bridge.policy.language import Rule
from bridge.policy.values import Hit

_ROUNDS = 3
Find = Callable[[str, Sequence[str]], tuple[Hit, ...]]


def redact(text: str, hits: Sequence[Hit], rules: Sequence[Rule], strict: Collection[str], find: Find) -> str:
    """``text`` with each hit of the ``rules``' lexicons replaced by the mark of the first rule that names it.

    Looked at again after each round: taking out one thing may bring another together. What then still holds something,
    or something of the ``strict`` lexicons, which the text before did not, is replaced by a mark as a whole.
    """
    marks: dict[str, str] = {}
    for rule in rules:
        for name in rule.lexicon or ():
            marks.setdefault(name, rule.mark)
    whole = marks[next(hit.lexicon for hit in hits if hit.lexicon in marks)]
    wanted = tuple({*marks, *strict})
    found = tuple(hit for hit in hits if hit.lexicon in marks)
    for _ in range(_ROUNDS):
        text = _replace(text, found, marks)
        found = find(text, wanted)
        if not found:
            return text
        if any(hit.lexicon not in marks for hit in found):
            return whole
    return whole


def _replace(text: str, hits: Sequence[Hit], marks: dict[str, str]) -> str:
    pieces: list[str] = []
    at = 0
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if hit.start >= at or not pieces:
            pieces += [text[at : hit.start], marks[hit.lexicon]]
        at = max(at, hit.end)
    return "".join([*pieces, text[at:]])
