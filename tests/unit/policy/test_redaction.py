"""What redaction takes out, and that nothing is left."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.policy.snapshot import Snapshot
from tests.unit.policy.builders import lexicon, load, rule, subject

_LEXICONS = lexicon("names", 'words = ["falcon", "blue heron"]') + lexicon("cards", 'validators = ["payment-card"]')


def _policy(*more: str) -> Snapshot:
    redact = rule("names", "redact", 'lexicon = ["names"]') + rule(
        "cards", "redact", 'lexicon = ["cards"]', 'mark = "(card)"'
    )
    return load(_LEXICONS + rule("open", "allow") + redact + "".join(more))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the falcon flies", "the [redacted] flies"),
        ("falcon", "[redacted]"),
        ("Falcon, falcon!", "[redacted], [redacted]!"),
        ("a f a l c o n\u0301\u200b b", "a [redacted] b"),
        ("pay 4111 1111 1111 1111 to blue-heron", "pay (card) to [redacted]"),
        ("falcon 4111111111111111", "[redacted] (card)"),
        ("falcon4111111111111111", "[redacted](card)"),
        ("\u202enoclaf\u202c x", "\u202e[redacted]\u202c x"),
        ("fal-con.fal-con", "[redacted].[redacted]"),
    ],
)
def test_hits_are_replaced_in_the_original(text: str, expected: str) -> None:
    decision = _policy().decide(subject(text=text))
    assert (decision.effect, decision.redacted_text) == ("redact", expected)


def test_a_clean_text_is_not_touched() -> None:
    decision = _policy().decide(subject(text="nothing here"))
    assert (decision.effect, decision.redacted_text, decision.hits) == ("allow", None, ())


def test_a_held_text_tells_what_may_go_after_release_and_a_forbidden_one_nothing() -> None:
    held = _policy(rule("h", "hold")).decide(subject(text="the falcon"))
    assert (held.effect, held.redacted_text) == ("hold", "the [redacted]")
    forbidden = _policy(rule("f", "forbid")).decide(subject(text="the falcon"))
    assert (forbidden.effect, forbidden.redacted_text) == ("forbid", None)
    assert [hit.term for hit in forbidden.hits] == ["falcon"]


def test_a_word_that_was_begun_before_is_taken_out_of_this_text() -> None:
    decision = _policy().decide(subject(text="con is here"), preceding="the fal")
    assert (decision.effect, decision.redacted_text) == ("redact", "[redacted] is here")


def test_shadow_rules_take_nothing_out() -> None:
    shadow = rule("s", "redact", 'lexicon = ["names"]', 'mode = "shadow"')
    decision = load(_LEXICONS + rule("open", "allow") + shadow).decide(subject(text="the falcon"))
    assert (decision.effect, decision.redacted_text, decision.would_effect) == ("allow", None, "redact")
    assert [hit.term for hit in decision.hits] == ["falcon"]


def test_what_cannot_be_made_clean_goes_as_a_mark_alone() -> None:
    # Each replacement brings the next match together.
    chain = (
        lexicon("g", "patterns = ['M?[ab]']")
        + rule("open", "allow")
        + rule("r", "redact", 'lexicon = ["g"]', 'mark = "M"')
    )
    assert load(chain).decide(subject(text="ab" * 5)).redacted_text == "M" * 10
    growing = (
        lexicon("g", "patterns = ['Mx|y']")
        + rule("open", "allow")
        + rule("r", "redact", 'lexicon = ["g"]', 'mark = "M"')
    )
    assert load(growing).decide(subject(text="yxxx")).redacted_text == "M"


_POLICY = _policy()
_soup = st.lists(
    st.sampled_from(["falcon", "fal", "con", "-", " ", "f a l c o n", "\u200b", "\u202e", "\u202c",
                     "4111 1111 1111 1111", "1", "blue", "heron", "bl\u0301ue heron", "х"]),
    max_size=12,
).map("".join)  # fmt: skip


@settings(max_examples=150)
@given(_soup)
def test_nothing_is_found_in_what_goes_out(text: str) -> None:
    decision = _POLICY.decide(subject(text=text))
    out = text if decision.redacted_text is None else decision.redacted_text
    assert _POLICY.find(out) == () or (decision.effect == "redact" and out == "[redacted]")
    assert (decision.effect == "redact") == bool(_POLICY.find(text))
