"""``simplebridge presence`` where no daemon runs: what is asked, answered and refused as a question."""

from pathlib import Path

import pytest

from bridge.app.approvals import load, put
from bridge.app.config import load as load_config
from bridge.app.home import Home
from bridge.model.ids import PersonId
from bridge.presence.approvals import Request, Verdict
from tests.unit.app.commands import Bridge

CONFIG = """
[bridge]
domain = "corp.example"
[networks.aim]
kind = "oscar"
domain = "aim.corp.example"
server = "127.0.0.1:1"
"""
ALICE = PersonId("alice@corp.example")
BOOGY = Request(
    target=ALICE, watcher="aim/theboogyman", verdict=Verdict.WAITS, at=1_700_000_000.0, words="it is me",
    account="alicework",
)  # fmt: skip
BOB = Request(target=ALICE, watcher="bob@corp.example", verdict=Verdict.WAITS, at=1_700_000_001.0)


@pytest.fixture
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bridge:
    made = Bridge(tmp_path, monkeypatch)
    made.config.write_text(CONFIG)
    with Home(load_config(made.config)).direct() as journal:
        for request in (BOB, BOOGY):
            journal.submit(put(request))
    return made


def _stored(bridge: Bridge) -> dict[str, Request]:
    with Home(load_config(bridge.config)).reading() as connection:
        return {request.watcher: request for request in load(connection)}


def test_requests_are_listed_the_oldest_first(bridge: Bridge) -> None:
    rows = bridge.good("presence", "requests", "--json").json
    assert [(row["watcher"], row["verdict"], row["words"]) for row in rows] == [
        ("aim/theboogyman", "waits", "it is me"), ("bob@corp.example", "waits", ""),
    ]  # fmt: skip
    assert rows[0]["since"] == "2023-11-14T22:13:20Z"
    assert "theboogyman" in bridge.good("presence", "requests", "--for", "Alice@corp.example").out
    assert bridge.good("presence", "requests", "--for", "carol@corp.example", "--json").json == []


def test_an_answer_is_kept_and_on_record_and_the_network_is_still_to_be_told(bridge: Bridge) -> None:
    answer = bridge.good("presence", "approve", "aim/The BoogyMan", "--for", "alice@corp.example", "--json").json
    assert (answer["verdict"], answer["told"]) == ("approved", False)
    bridge.good("presence", "refuse", "bob@corp.example", "--for", "alice@corp.example")
    kept = _stored(bridge)
    assert [(kept[name].verdict, kept[name].told) for name in sorted(kept)] == [
        (Verdict.APPROVED, False), (Verdict.REFUSED, True),
    ]  # fmt: skip
    assert bridge.good("presence", "requests", "--json").json == []
    assert len(bridge.good("presence", "requests", "--all", "--json").json) == 2
    shown = bridge.good("audit", "show", "--json").json
    assert [one["event"] for one in shown].count("presence_approval") == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("approve", "carol@corp.example", "--for", "alice@corp.example"), 1, "has not asked"),
        (("approve", "carol", "--for", "alice@corp.example"), 2, "neither an address"),
        (("approve", "msn/x", "--for", "alice@corp.example"), 2, "no network is called 'msn'"),
        (("refuse", "bob@corp.example", "--for", "alice"), 2, "not an address"),
        (("refuse", "bob@corp.example"), 2, "--for"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(bridge: Bridge, words: tuple[str, ...], code: int, said: str) -> None:
    done = bridge("presence", *words)
    assert done.code == code
    assert said in done.err
    assert len(done.err.splitlines()) == 1
