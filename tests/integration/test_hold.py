"""Held messages from end to end: kept over a restart, let go or refused by a reviewer, ended by the clock."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.wire import NoAnswer, Phone
from tests.kit.daemon import ROOT, BridgeProcess, DaemonError, Person, until
from tests.unit.app.commands import Bridge

POLICY = """
[policy]
version = "hold"
[lexicons.deal]
words = ["merger"]
[lexicons.number]
words = ["topsecret"]
[[rule]]
id = "deals-are-read"
effect = "hold"
lexicon = ["deal"]
[[rule]]
id = "numbers-go-never"
effect = "redact"
lexicon = ["number"]
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:{domain}"]
to = ["domain:{domain}"]
"""
PEOPLE = [Person(user="alice"), Person(user="bob"), Person(user="carol")]
CAROL = ("--actor", "carol@corp.example")


@pytest.fixture
def bridge() -> Iterator[BridgeProcess]:
    with BridgeProcess(PEOPLE, policy=POLICY) as process:
        yield process


@pytest.fixture
def alice(bridge: BridgeProcess) -> Iterator[Phone]:
    with Phone(bridge, "alice") as phone:
        assert phone.register().status == 200
        yield phone


@pytest.fixture
def bob(bridge: BridgeProcess) -> Iterator[Phone]:
    with Phone(bridge, "bob") as phone:
        assert phone.register().status == 200
        yield phone


def held(bridge: BridgeProcess, *options: str) -> list[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        rows: list[dict[str, Any]] = Bridge(bridge.folder, patch).good("hold", "list", "--json", *options).json
    return rows


def hold(bridge: BridgeProcess, alice: Phone, text: str = "about the merger") -> str:
    before = {row["event"] for row in held(bridge)}
    assert alice.message("bob", text).status == 202
    (event,) = {row["event"] for row in held(bridge)} - before
    return str(event)


def results(bridge: BridgeProcess, event: str) -> list[str]:
    return [found.row.event for found in bridge.about(event)]


def outcome(bridge: BridgeProcess, event: str) -> dict[str, Any]:
    (found,) = [found for found in bridge.about(event) if found.row.event == "outcome"]
    fields: dict[str, Any] = found.record.fields
    return fields


def nothing_came(bob: Phone) -> None:
    with pytest.raises(NoAnswer):
        pytest.fail(f"there came {bob.text(0.3)}")


def test_held_over_a_restart_then_released(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    event = hold(bridge, alice)
    row = held(bridge)[0]
    assert (row["from"], row["to"], row["rule"]) == ("sip/alice@corp.example", "sip/bob@corp.example", "deals-are-read")
    assert row["expires"] > row["received"]
    assert "text" not in row
    assert alice.message("bob", "and lunch?").status == 202  # what is held holds up nothing else
    assert bob.text()[1] == "and lunch?"
    until(lambda: any(found.row.event == "outcome" for found in bridge.records()), 5.0, "its outcome")
    for kill in (True, False):
        bridge.restart(kill=kill)
        nothing_came(bob)
        assert [row["event"] for row in held(bridge)] == [event]
    bridge.cli("hold", "release", event, "--reason", "harmless", *CAROL)
    assert bob.text() == ("alice@corp.example", "about the merger")
    until(lambda: "outcome" in results(bridge, event), 5.0, "the outcome")
    assert results(bridge, event) == ["intake", "decision", "release", "outcome"]
    assert outcome(bridge, event)["outcome"][0].get("maybe_duplicate") is None
    assert held(bridge) == []
    released = bridge.about(event)[2].record
    assert released.payload == {"reviewer": "carol@corp.example", "reason": "harmless"}
    assert released.fields["actor"]
    with pytest.raises(DaemonError, match="is held"):
        bridge.cli("hold", "release", event, *CAROL)
    assert bridge.audit("verify")["ok"]


def test_refused_with_a_reason_that_the_sender_is_told(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    event = hold(bridge, alice)
    bridge.cli("hold", "refuse", event, "--reason", "not before Monday", *CAROL)
    sender, text = alice.text()
    assert sender == "simplebridge@corp.example"
    assert "was not delivered: not before Monday" in text
    assert event in text
    assert results(bridge, event) == ["intake", "decision", "review", "outcome"]
    assert outcome(bridge, event)["outcome"][0]["code"] == "refused"
    nothing_came(bob)
    assert held(bridge) == []


@pytest.mark.parametrize("running", [True, False])
def test_nobody_reviews_a_message_of_their_own(bridge: BridgeProcess, alice: Phone, bob: Phone, running: bool) -> None:
    event = hold(bridge, alice)
    if not running:
        bridge.terminate()
    for command in ("release", "refuse"):
        with pytest.raises(DaemonError, match="a message of their own"):
            bridge.cli("hold", command, event, "--actor", "Alice@corp.example")
    assert [row["event"] for row in held(bridge)] == [event]
    assert results(bridge, event) == ["intake", "decision"]
    nothing_came(bob)


def test_decided_while_no_daemon_runs(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    first, second = hold(bridge, alice, "merger one"), hold(bridge, alice, "merger two")
    bridge.terminate()
    bridge.cli("hold", "release", first, *CAROL)
    bridge.cli("hold", "refuse", second, *CAROL)
    with pytest.raises(DaemonError, match="no message"):
        bridge.cli("hold", "release", second, *CAROL)
    assert held(bridge) == []
    bridge.start()
    assert bob.text()[1] == "merger one"
    nothing_came(bob)
    assert results(bridge, second) == ["intake", "decision", "review", "outcome"]
    assert bridge.audit("verify")["ok"]


def test_a_look_at_the_texts_is_on_record_before_it_is_shown(bridge: BridgeProcess, alice: Phone) -> None:
    event = hold(bridge, alice)
    assert [row["text"] for row in held(bridge, "--show")] == ["about the merger"]
    assert results(bridge, event) == ["intake", "decision", "review"]
    assert bridge.about(event)[2].record.fields["verdict"] == "looked"


@pytest.mark.parametrize("kill", [True, False])
def test_what_nobody_decides_in_time_expires(kill: bool) -> None:
    with (
        BridgeProcess(PEOPLE, policy=POLICY, more="[delivery]\noffline_hours = 0.0006") as bridge,
        Phone(bridge, "alice") as alice,
        Phone(bridge, "bob") as bob,
    ):
        assert (alice.register().status, bob.register().status) == (200, 200)
        event = hold(bridge, alice)
        until(lambda: _expired(bridge), 10.0, "the expiry")
        with pytest.raises(DaemonError, match="has expired"):
            bridge.cli("hold", "release", event, *CAROL)
        bridge.restart(kill=kill)
        until(lambda: "outcome" in results(bridge, event), 10.0, "the outcome")
        assert outcome(bridge, event)["outcome"][0]["code"] == "expired"
        assert held(bridge) == []
        assert "was not delivered" in alice.text()[1]
        nothing_came(bob)


def _expired(bridge: BridgeProcess) -> bool:
    import datetime as dt

    row = held(bridge)[0]
    return dt.datetime.fromisoformat(row["expires"]) < dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)


def test_the_masters_key_is_rotated_under_a_running_daemon(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    assert alice.message("bob", "before").status == 202
    assert bob.text()[1] == "before"
    for option in ((), ("--drop-old",)):
        answer = json.loads(bridge.cli("audit", "rotate-key", "--json", *option))
        assert answer["key"] not in answer["old"]
        assert alice.message("bob", f"after {option}").status == 202
        assert bob.text()[1] == f"after {option}"
        assert bridge.audit("verify")["ok"]
    assert len(bridge.home().keyring(create=False).ids) == 1
    bridge.restart(kill=True)
    assert alice.message("bob", "and again").status == 202
    assert bob.text()[1] == "and again"
    assert not [found for found in bridge.records() if found.problem]
    assert bridge.audit("verify")["ok"]


def test_without_a_log_there_is_nothing_to_decide(tmp_path: Any) -> None:
    config = tmp_path / "simplebridge.toml"
    config.write_text('[bridge]\ndomain = "corp.example"\ndata_dir = "var"\n')
    command = [sys.executable, "-m", "bridge", "--config", str(config), "hold"]
    listed = subprocess.run([*command, "list"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert listed.returncode == 0
    refused = subprocess.run([*command, "refuse", "x"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert refused.returncode == 2
    assert "there is no log yet" in refused.stderr


def test_who_releases_lets_nobody_see_what_another_rule_takes_out(
    bridge: BridgeProcess, alice: Phone, bob: Phone
) -> None:
    assert alice.message("bob", "the merger is topsecret").status == 202
    (row,) = held(bridge, "--show")
    assert (row["text"], row["rule"]) == ("the merger is [redacted]", "deals-are-read")
    bridge.cli("hold", "release", row["event"], *CAROL)
    assert bob.text()[1] == "the merger is [redacted]"
    assert "the merger is topsecret" in [record["text"] for record in bridge.audit("show")]
