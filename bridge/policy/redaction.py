"""Taking out what a lexicon found, so that it is not found again."""

from collections.abc import Callable, Sequence

from bridge.policy.language import Rule
from bridge.policy.values import Hit

_ROUNDS = 3
Find = Callable[[str, Sequence[str]], tuple[Hit, ...]]


def redact(text: str, hits: Sequence[Hit], rules: Sequence[Rule], find: Find) -> str:
    """``text`` with each hit of the ``rules``' lexicons replaced by the mark of the first rule that names it.

    Looked at again after each round: taking out one thing may bring another together. What then still holds something
    is replaced by the mark as a whole.
    """
    marks: dict[str, str] = {}
    for rule in rules:
        for name in rule.lexicon or ():
            marks.setdefault(name, rule.mark)
    wanted = tuple(marks)
    found = tuple(hit for hit in hits if hit.lexicon in marks)
    for _ in range(_ROUNDS):
        if not found:
            return text
        text = _replace(text, found, marks)
        found = find(text, wanted)
    return text if not found else rules[0].mark


def _replace(text: str, hits: Sequence[Hit], marks: dict[str, str]) -> str:
    pieces: list[str] = []
    at = 0
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if hit.start >= at or not pieces:
            pieces += [text[at : hit.start], marks[hit.lexicon]]
        at = max(at, hit.end)
    return "".join([*pieces, text[at:]])
