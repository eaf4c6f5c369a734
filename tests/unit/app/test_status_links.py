"""Health of many links: counted by state, and shown so that a person finds those that are not well."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bridge.app.cli.status import MANY, _show_links
from bridge.app.status import _links, _networks
from bridge.model.capabilities import LinkChange, LinkState
from bridge.model.ids import NetworkId

NET = NetworkId("net")


def daemon(states: dict[str, LinkState]) -> Any:
    network = SimpleNamespace(states=lambda: states, numbers=lambda: {"waiting_signons": 2})
    change = LinkChange(network=NET, account="user0", state=LinkState.TRANSIENT, reason="lost", retry_in=4.0)
    ingress = SimpleNamespace(since=dict.fromkeys(states, 0.0), states={"user0": change})
    return SimpleNamespace(networks={NET: network}, ingresses={NET: ingress})


def answer(states: dict[str, LinkState]) -> dict[str, Any]:
    made = cast("Any", daemon(states))
    return {"networks": _networks(made), "links": _links(made)}


def test_counted_by_state() -> None:
    states = {f"user{number}": LinkState.UP if number else LinkState.TRANSIENT for number in range(3)}
    shown = answer(states)
    assert shown["networks"] == [
        {
            "network": NET,
            "accounts": 3,
            "states": {state.value: {"up": 2, "transient": 1}.get(state.value, 0) for state in LinkState},
            "numbers": {"waiting_signons": 2},
        }
    ]
    first = shown["links"][0]
    assert (first["account"], first["state"], first["reason"]) == ("user0", "transient", "lost; again in 4 s")
    assert first["seconds"] > 1e9


def test_few_links_are_all_shown(capsys: pytest.CaptureFixture[str]) -> None:
    _show_links(answer({"alice": LinkState.UP, "user0": LinkState.TRANSIENT}))
    text = capsys.readouterr().out
    assert "alice" in text
    assert "user0" in text


def test_of_many_those_that_are_not_up(capsys: pytest.CaptureFixture[str]) -> None:
    states = {f"user{number}": LinkState.UP for number in range(5000)}
    states |= {f"ill{number}": LinkState.AUTH_FAILED for number in range(MANY + 7)}
    _show_links(answer(states))
    text = capsys.readouterr().out
    assert "5000 up" in text
    assert "user1" not in text
    assert text.count("auth-failed") == MANY + 1
    assert "and 7 more" in text
