"""Whether one rule holds wherever another does. Cautious: it says so only where the file itself shows it."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from bridge.policy.language import Group, Rule


def nested_groups(groups: Collection[Group]) -> dict[str, frozenset[str]]:
    """Each group's name with those of all groups that it contains, itself included."""
    direct = {
        group.name: [entry.removeprefix("group:") for entry in group.entries if entry.startswith("group:")]
        for group in groups
    }
    found = {}
    for name in direct:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            group = waiting.pop()
            if group not in seen:
                seen.add(group)
                waiting.extend(direct.get(group, ()))
        found[name] = frozenset(seen)
    return found


def covering_pairs(rules: Sequence[Rule], groups: Collection[Group]) -> Iterator[tuple[Rule, Rule]]:
    """Each pair of different rules of which the first covers the second."""
    nested = nested_groups(groups)
    around: dict[str, set[str]] = {}
    for outer, inner in nested.items():
        for name in inner:
            around.setdefault(f"group:{name}", set()).add(f"group:{outer}")
    naming: dict[str, dict[int, None]] = {}
    for number, rule in enumerate(rules):
        for term in {*rule.ends[0], *rule.ends[1]}:
            naming.setdefault(term, {})[number] = None
    for number, narrow in enumerate(rules):
        # Only a rule that names something around one of the narrow rule's terms can cover it; take the rarest term.
        wider = ({"any", term, *around.get(term, ()), *_networks(term)} for side in narrow.ends[:2] for term in side)
        fewest = min(([name for term in terms for name in naming.get(term, ())] for terms in wider), key=len)
        for other in dict.fromkeys(fewest):
            if other != number and covers(rules[other], narrow, nested):
                yield rules[other], narrow


def _networks(term: str) -> tuple[str, ...]:
    return (f"network:{term[8:].partition('/')[0]}",) if term.startswith("contact:") else ()


def covers(wide: Rule, narrow: Rule, nested: Mapping[str, frozenset[str]]) -> bool:
    """Whether ``wide`` matches every subject that ``narrow`` matches."""
    return (
        _conditions_cover(wide, narrow)
        and wide.direction in {None, "both", narrow.direction}
        and _ends_cover(wide, narrow, nested)
    )


def _conditions_cover(wide: Rule, narrow: Rule) -> bool:
    sets = ("kinds", "assurance", "lexicon")
    equal = ("conversation", "hours", "content_types", "file_names", "user_agents")
    return (
        all(_subset(getattr(wide, name), getattr(narrow, name)) for name in sets)
        and all(getattr(wide, name) in {None, getattr(narrow, name)} for name in equal)
        and (wide.larger_than is None or (narrow.larger_than is not None and narrow.larger_than >= wide.larger_than))
        and (
            wide.smaller_than is None or (narrow.smaller_than is not None and narrow.smaller_than <= wide.smaller_than)
        )
    )


def _subset(wide: Collection[str] | None, narrow: Collection[str] | None) -> bool:
    return wide is None or (narrow is not None and set(narrow) <= set(wide))


def _ends_cover(wide: Rule, narrow: Rule, nested: Mapping[str, frozenset[str]]) -> bool:
    first, second, turned = wide.ends
    inner_first, inner_second, inner_turned = narrow.ends
    straight = _terms_cover(first, inner_first, nested) and _terms_cover(second, inner_second, nested)
    crossed = _terms_cover(first, inner_second, nested) and _terms_cover(second, inner_first, nested)
    if turned:
        return straight or crossed
    return straight and (crossed or not inner_turned)


def _terms_cover(wide: Collection[str], narrow: Collection[str], nested: Mapping[str, frozenset[str]]) -> bool:
    return all(any(_term_covers(term, inner, nested) for term in wide) for inner in narrow)


def _term_covers(wide: str, narrow: str, nested: Mapping[str, frozenset[str]]) -> bool:
    if wide in {"any", narrow}:
        return True
    kind, _, name = wide.partition(":")
    inner_kind, _, inner_name = narrow.partition(":")
    if kind == "network" and inner_kind == "contact":
        return inner_name.startswith(f"{name}/")
    return kind == inner_kind == "group" and inner_name in nested.get(name, ())
