"""What a recipient reads is more than one message: words split over several, and the name that their sender goes by."""

import pytest
from attrs import evolve

from bridge.delivery.judge import PRECEDING_SECONDS, Judge
from bridge.model.envelope import Envelope
from bridge.policy.loader import Surroundings
from bridge.policy.loading import load_text
from bridge.policy.values import Decision
from tests.kit import people, values

POLICY = """
[policy]
version = "1"
[lexicons.falcon]
words = ["project falcon"]
validators = ["payment-card"]
[lexicons.secret]
words = ["topsecret"]
[lexicons.later]
words = ["holdme"]
[[rule]]
id = "all"
effect = "allow"
from = ["domain:corp.example"]
[[rule]]
id = "falcon"
effect = "forbid"
lexicon = ["falcon"]
[[rule]]
id = "secret"
effect = "redact"
lexicon = ["secret"]
[[rule]]
id = "later"
effect = "hold"
lexicon = ["later"]
"""


def judge(policy: str = POLICY, alice: str = "") -> Judge:
    around = Surroundings(networks=frozenset({"aim"}), domains=frozenset({"corp.example"}))
    return Judge(policy=load_text(policy, surroundings=around), directory=people.snapshot(alice=alice))


def says(to: Judge, *texts: str, recipient: str = "theboogyman", seconds: float = 1.0, name: str = "") -> list[str]:
    """Returns the effect of each of several messages, one after the other."""
    return [one.effect for one in decisions(to, *texts, recipient=recipient, seconds=seconds, name=name)]


def decisions(
    to: Judge, *texts: str, recipient: str = "theboogyman", seconds: float = 1.0, name: str = ""
) -> list[Decision]:
    made = []
    for number, text in enumerate(texts):
        envelope = said(text, recipient, name)
        envelope = evolve(envelope, received_at=envelope.received_at + number * seconds)
        made.append(to.judge(envelope, envelope.recipients[0]))
    return made


def said(text: str, recipient: str = "theboogyman", name: str = "") -> Envelope:
    envelope = values.envelope(text=text, to=recipient)
    return evolve(envelope, sender=evolve(envelope.sender, display_name=name))


@pytest.mark.parametrize(
    "texts",
    [
        ("project", "falcon"),
        ("we build project fal", "con"),
        ("pro", "ject", "falcon"),
        tuple("projectfalcon"),
        ("4111 1111", "1111 1111"),
        ("project", "", "  ", "falcon"),
        ("lunch?", "yes", "pro", "ject", "fal", "con"),
        ("hello there", "project fa", "lc", "on is late"),
    ],
)
def test_what_is_split_over_messages_is_found_in_the_last_one(texts: tuple[str, ...]) -> None:
    effects = says(judge(), *texts)
    assert effects[-1] == "forbid"
    assert set(effects[:-1]) == {"allow"}


def test_who_was_refused_may_write_something_else() -> None:
    assert says(judge(), "project", "falcon", "falcon", "lunch?", "well, falcon") == [
        "allow",
        "forbid",
        "forbid",
        "allow",
        "allow",
    ]


def test_what_was_written_to_somebody_else_or_long_ago_is_another_text() -> None:
    one = judge()
    assert says(one, "project") == ["allow"]
    assert says(one, "falcon", recipient="elsewhere") == ["allow"]
    assert says(judge(), "project", "falcon", seconds=PRECEDING_SECONDS + 1) == ["allow", "allow"]


def test_what_was_taken_out_does_not_come_back() -> None:
    assert says(judge(), "topsecret project", "falcon") == ["redact", "forbid"]
    first, second = decisions(judge(), "topse", "cret plans")
    assert first.effect == "allow"
    assert second.redacted_text == "[redacted] plans"
    assert decisions(judge(), "lunch", "topse", "cret")[-1].redacted_text == "[redacted]"


def test_a_name_of_ones_own_choice_passes_the_policy_too() -> None:
    assert says(judge(), "hi", name="Project Falcon") == ["forbid"]
    assert says(judge(), "hi", name="holdme") == ["hold"]
    assert says(judge(), "hi", "hi", name="Alice Smith") == ["allow", "allow"]
    assert says(judge(), "project falcon", name="holdme") == ["forbid"]
    (of_name,) = decisions(judge(), "hi", name="Topsecret")
    assert (of_name.effect, of_name.redacted_text, of_name.deciding) == ("redact", "hi", "secret")


def test_a_name_that_is_to_be_redacted_is_so_of_a_message_that_is_held() -> None:
    (held,) = decisions(judge(), "please holdme", name="Topsecret")
    assert (held.effect, held.redacted_text) == ("hold", "please holdme")
    (held,) = decisions(judge(), "topsecret plans", name="holdme")
    assert (held.effect, held.redacted_text) == ("hold", "[redacted] plans")


def test_the_name_that_the_directory_gives_is_the_companys_own() -> None:
    named = judge(alice="Project Falcon")
    assert says(named, "hi", name="Project Falcon") == ["allow"]


def test_a_new_policy_looks_at_names_anew() -> None:
    one = judge()
    assert says(one, "hi", name="Eagle") == ["allow"]
    one.policy = judge(POLICY.replace("project falcon", "eagle")).policy
    assert says(one, "hi", name="Eagle") == ["forbid"]
