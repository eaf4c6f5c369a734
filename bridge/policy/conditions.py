"""Conditions on the message itself: type, size, file name, user agent. (Text is the matcher's.)"""

from collections.abc import Callable, Sequence

import re2

from bridge.policy.folding import SYMBOLS
from bridge.policy.language import Rule
from bridge.policy.values import Subject

Condition = Callable[[Subject], bool]


def glob(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether a text is one of ``patterns``, in which ``*`` is any text and ``?`` any character. Linear in time."""
    alternatives = "|".join(_glob_pattern(pattern) for pattern in patterns)
    compiled = re2.compile(f"(?s)(?:{alternatives})")
    return lambda text: compiled.fullmatch(text.translate(SYMBOLS).strip()) is not None


def _glob_pattern(pattern: str) -> str:
    parts = {"*": ".*", "?": "."}
    return "".join(parts.get(character) or re2.escape(character) for character in pattern.translate(SYMBOLS).strip())


def message_conditions(rule: Rule) -> tuple[tuple[str, Condition], ...]:
    """The rule's conditions on the message, each with the key it is written under. What is not known fails them."""
    found: list[tuple[str, Condition]] = []
    if rule.content_types is not None:
        is_type = glob(rule.content_types)
        found.append(("content_types", lambda subject: is_type((subject.content_type or "").partition(";")[0])))
    if rule.file_names is not None:
        is_name = glob(rule.file_names)
        found.append(("file_names", lambda subject: subject.file_name is not None and is_name(subject.file_name)))
    if rule.user_agents is not None:
        is_agent = glob(rule.user_agents)
        found.append(("user_agents", lambda subject: subject.user_agent is not None and is_agent(subject.user_agent)))
    if rule.larger_than is not None:
        least = rule.larger_than
        found.append(("larger_than", lambda subject: subject.size is not None and subject.size > least))
    if rule.smaller_than is not None:
        most = rule.smaller_than
        found.append(("smaller_than", lambda subject: subject.size is not None and subject.size < most))
    return tuple(found)
