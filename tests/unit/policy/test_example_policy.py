"""The example that is shipped loads, passes its own tests, and lints clean."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.policy.linting import lint
from bridge.policy.loader import Surroundings
from bridge.policy.loading import load_policy, load_text, run_examples, subject_between
from bridge.policy.values import direction_between
from tests.unit.policy.builders import HEAD, NOON, party, rule

_FILE = Path(__file__).parents[3] / "conf" / "policy.toml"


def test_the_example_policy() -> None:
    snapshot = load_policy(_FILE, networks=["aim", "icq"], domains=["corp.example"])
    results = run_examples(snapshot)
    assert len(results) == 5
    assert all(result.passed for result in results)
    assert lint(snapshot.policy) == ()


def test_names_are_compared_in_the_normal_form_of_their_network() -> None:
    def normal(network: str, name: str) -> str:
        return name.replace(" ", "").lower() if network == "aim" else name

    text = HEAD + '[groups]\ng = ["aim/The Boogy Man"]\n' + rule("r", "allow", 'to = ["group:g"]')
    text += rule("s", "forbid", 'to = ["contact:icq/A b"]')
    surroundings = Surroundings(networks=["AIM", "icq"], domains=["Corp.Example"], normal_form=normal)
    snapshot = load_text(text, surroundings=surroundings)
    at = datetime.fromtimestamp(NOON, UTC)
    found = subject_between(surroundings, "alice@corp.example", "AIM/TheBoogy man", at=at, text="x")
    assert (found.recipient.address, found.direction, found.conversation) == ("aim/theboogyman", "outbound", "external")
    assert snapshot.decide(found).effect == "allow"
    assert snapshot.decide(subject_between(surroundings, "a@corp.example", "icq/a B", at=at)).deciding == "s"
    back = subject_between(surroundings, "aim/x", "alice@corp.example", at=at, kind="typing")
    assert (back.direction, back.kind) == ("inbound", "typing")
    inside = subject_between(surroundings, "a@corp.example", "b@corp.example", at=at)
    assert (inside.direction, inside.conversation) == ("internal", "internal")
    with pytest.raises(ValueError, match="neither an address"):
        subject_between(surroundings, "msn/x", "a@corp.example", at=at)
    with pytest.raises(ValueError, match="no name after aim/"):
        subject_between(surroundings, "aim/", "a@corp.example", at=at)


def test_a_colleague_behind_a_screen_name_is_inside() -> None:
    test = '[[test]]\nfrom = "alice@corp.example"\nto = "aim/bob99"\nto_person = "bob@corp.example"\nexpect = "allow"\n'
    text = HEAD + rule("r", "allow", 'conversation = "internal"', 'to = ["person:bob@corp.example"]') + test
    surroundings = Surroundings(networks=["aim"], domains=["corp.example"])
    assert all(result.passed for result in run_examples(load_text(text, surroundings=surroundings)))
    carol = party("aim/carol99", person="carol@corp.example")
    assert direction_between(carol, party("alice@corp.example"), frozenset({"corp.example"})) == "internal"
