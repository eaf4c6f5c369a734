"""Explanations name each condition that failed."""

from bridge.policy.explanation import explain
from tests.unit.policy.builders import lexicon, load, rule, subject

_TEXT = (
    '[groups]\nsales = ["alice@corp.example"]\nlab = ["carol@corp.example"]\n'
    + lexicon("w", 'words = ["falcon"]')
    + rule("sales", "allow", 'from = ["group:sales"]', 'to = ["network:aim"]', 'direction = "both"')
    + rule("wall", "forbid", 'between = ["group:lab", "group:sales"]')
    + rule("icq", "allow", 'to = ["network:icq"]')
    + rule("lab", "allow", 'from = ["group:lab"]')
    + rule("watch", "hold", 'lexicon = ["w"]')
    + rule(
        "much", "forbid", 'kinds = ["typing"]', 'conversation = "internal"', 'assurance = ["bound"]', "larger_than = 5",
        'hours = { days = "sat", from = "08:00", to = "09:30", zone = "UTC" }', 'direction = "inbound"', 'mode = "off"',
    )
)  # fmt: skip


def test_each_rule_says_what_it_failed_on() -> None:
    explanation = explain(load(_TEXT), subject())
    assert explanation.decision.deciding == "sales"
    assert (explanation.sender_groups, explanation.recipient_groups) == (("sales",), ())
    told = {verdict.rule: verdict for verdict in explanation.verdicts}
    assert told["sales"].matched
    assert told["sales"].line == 8
    assert told["wall"].failed == ("between: alice@corp.example and aim/boogy are not group:lab and group:sales",)
    assert told["icq"].failed == ("to: aim/boogy is not network:icq",)
    assert told["lab"].failed == ("from: alice@corp.example is not group:lab",)
    assert told["watch"].failed == ("lexicon: the text holds nothing of (w)",)
    assert told["much"].failed == (
        "direction: outbound is not inbound",
        "kinds: message is not typing",
        "conversation: external is not internal",
        "assurance: unverified is not bound",
        "hours: the time is outside sat 08:00-09:30 UTC",
        "larger_than: does not hold",
    )


def test_what_the_lexicons_found_is_told() -> None:
    explanation = explain(load(_TEXT), subject(text="the fal", sender="carol@corp.example"))
    assert explanation.hits == ()
    explanation = explain(load(_TEXT), subject(text="con", sender="carol@corp.example"), preceding="the fal")
    assert [hit.straddles for hit in explanation.hits] == [True]
    assert explanation.decision.deciding == "watch"
    assert "lexicon: there is no text (w)" in explain(load(_TEXT), subject(text=None)).verdicts[4].failed


def test_ends_of_a_rule_with_a_direction() -> None:
    verdict = explain(load(_TEXT), subject("bob@corp.example")).verdicts[0]
    assert verdict.failed == ("from, to: bob@corp.example and aim/boogy are not group:sales and network:aim",)
