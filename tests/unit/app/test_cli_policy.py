"""``check``, ``policy`` and ``status``."""

import pytest

from bridge.app import control
from tests.unit.app.commands import CONFIG, POLICY, Bridge


def test_check_says_what_is_good(bridge: Bridge) -> None:
    done = bridge.good("check")
    assert done.out.startswith(f"{bridge.config}: good; 1 networks, 2 rules, policy ")
    answer = bridge.good("check", "--json").json
    assert (answer["ok"], answer["warnings"]) == (True, [])


def test_check_changes_nothing_on_disk(bridge: Bridge) -> None:
    before = sorted(bridge.folder.rglob("*"))
    bridge.good("check")
    assert sorted(bridge.folder.rglob("*")) == before


def test_check_names_file_line_and_key(bridge: Bridge) -> None:
    bridge.config.write_text(CONFIG.replace("oscar", "fax"))
    assert bridge("check").line.startswith(f"simplebridge: {bridge.config}:6: networks.aim.kind: 'fax' is not a kind")


@pytest.mark.parametrize(
    ("option", "what"),
    [
        ('auth = "rot13"', "auth: 'rot13' is not one of md5, roasted"),
        ("sign_ons_per_second = 0", "sign_ons_per_second: must be greater than 0"),
        ("rate_margin = -1", "rate_margin: must be greater than 0"),
        ('server_override = { "*" = "x" }', "server_override: not of the form host:port"),
        ('server_override = { "x" = "127.0.0.1:1" }', "server_override: not of the form host:port"),
    ],
)
def test_check_names_a_wrong_option_of_a_network(bridge: Bridge, option: str, what: str) -> None:
    bridge.config.write_text(CONFIG + option + "\n")
    done = bridge("check")
    assert done.code == 2
    assert done.line.startswith(f"simplebridge: {bridge.config}:9: networks.aim.{what}")


def test_check_names_the_line_of_a_policy(bridge: Bridge) -> None:
    (bridge.folder / "policy.toml").write_text(POLICY.replace('effect = "allow"', 'effect = "perhaps"', 1))
    done = bridge("check")
    assert done.code == 2
    assert "policy.toml:5" in done.line
    assert "perhaps" in done.line


def test_check_wants_the_policy_to_be_there(bridge: Bridge) -> None:
    (bridge.folder / "policy.toml").unlink()
    done = bridge("check")
    assert done.code == 2
    assert "policy.toml" in done.line


def test_check_reads_the_authorities(bridge: Bridge) -> None:
    bridge.config.write_text(CONFIG + '[sip]\nauthorities = "ca.pem"\n')
    done = bridge("check")
    assert done.code == 2
    assert ":10: sip.authorities: " in done.line
    assert "ca.pem" in done.line


def test_check_reads_the_certificate(bridge: Bridge) -> None:
    bridge.config.write_text(CONFIG + '[sip]\nlisten = ["tls:127.0.0.1:0"]\ncertificate = "c.pem"\nkey = "k.pem"\n')
    done = bridge("check")
    assert done.code == 2
    assert ":11: sip.certificate: " in done.line


def test_no_policy_is_a_warning(bridge: Bridge) -> None:
    bridge.config.write_text('[bridge]\ndomain = "corp.example"\n')
    assert bridge.good("check", "--json").json["warnings"] == ["no policy is configured: everything is refused"]


def test_explain_says_who_decided(bridge: Bridge) -> None:
    done = bridge.good("policy", "explain", "--from", "alice@corp.example", "--to", "aim/theboogyman")
    assert done.out.startswith("allow by aim: ")
    answer = bridge.good("policy", "explain", "--from", "x@else.example", "--to", "aim/friend", "--json").json
    assert (answer["decision"]["effect"], answer["decision"]["deciding"]) == ("forbid", "default-deny")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--from", "fax/1", "--to", "aim/friend"), "--from: "),
        (("--from", "alice@corp.example", "--to", ""), "--to: "),
        (("--from", "alice@corp.example", "--to", "aim/friend", "--at", "noon"), "--at: not a time"),
        (("--from", "alice@corp.example", "--to", "aim/friend", "--at", "0001-01-01"), "--at: not a time"),
    ],
)
def test_explain_refuses_what_it_does_not_know(bridge: Bridge, arguments: tuple[str, ...], what: str) -> None:
    done = bridge("policy", "explain", *arguments)
    assert done.code == 2
    assert done.line.startswith(f"simplebridge: {what}")


def test_the_tables_of_a_policy_are_run(bridge: Bridge) -> None:
    assert bridge.good("policy", "test").out == "1 passed\n"
    (bridge.folder / "policy.toml").write_text(POLICY.replace('expect = "allow"', 'expect = "hold"'))
    done = bridge("policy", "test")
    assert (done.code, done.line) == (1, "simplebridge: 1 of 1 tests failed")
    assert "expected hold by rule 'aim', got allow by 'aim'" in done.out
    (row,) = bridge("--json", "policy", "test").json
    assert (row["expect"], row["got"], row["passed"]) == ("hold", "allow", False)
    assert "expected hold" in bridge("check").line  # and nothing starts with it


def test_lint_finds_what_is_not_meant(bridge: Bridge) -> None:
    assert bridge.good("policy", "lint").out == ""
    (bridge.folder / "policy.toml").write_text(POLICY + '[groups]\nnobody = ["x@corp.example"]\n')
    done = bridge("policy", "lint")
    assert (done.code, done.line) == (1, "simplebridge: 1 findings")
    assert "nobody" in done.out


def test_diff_says_what_changes(bridge: Bridge) -> None:
    old = bridge.folder / "old.toml"
    old.write_text(POLICY.replace('id = "inside"', 'id = "within"'))
    out = bridge.good("policy", "diff", str(old)).out
    assert "within" in out
    assert "inside" in out
    assert bridge("policy", "diff", "nowhere.toml").code == 2


def test_wrong_use_is_2(bridge: Bridge) -> None:
    for arguments in ((), ("fly",), ("policy", "fly"), ("user", "add"), ("check", "--loud"), ("audit", "export")):
        assert bridge(*arguments).code == 2, arguments
    assert bridge("--help").code == 0
    assert bridge("--version").out.rstrip().rpartition(" ")[2][0].isdigit()


def test_status_without_a_daemon_has_found_something(bridge: Bridge) -> None:
    done = bridge("status")
    assert done.code == 1
    assert "no daemon answers at" in done.line


def test_status_of_a_daemon_that_starts(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ask", lambda *_: {"state": "starting"})
    assert bridge.good("status").out == "starting\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("policy", "explain", "--from", "alice", "--to", "bob"), 2),
        (("no-such-command",), 2),
        (("audit", "export", "--format", "eml"), 2),
        (("audit", "verify"), 2),
        (("status",), 1),
    ],
)
def test_programs_read_why_a_command_ends(bridge: Bridge, arguments: tuple[str, ...], code: int) -> None:
    done = bridge(*arguments, "--json")
    assert (done.code, done.json["exit"]) == (code, code)
    assert done.json["errors"] == [done.json["error"]]
    assert done.line == f"simplebridge: {done.json['error']}"


def test_a_form_of_export_that_is_to_come_is_told_from_a_mistake(bridge: Bridge) -> None:
    assert bridge("audit", "export", "--format", "eml").line.endswith("'eml' is not there yet; there is jsonl")
    assert bridge("audit", "export", "--format", "elm").line.endswith("'elm' is not a form of export; there is jsonl")


def test_a_policy_that_is_not_there_is_the_configurations_mistake(bridge: Bridge) -> None:
    (bridge.folder / "policy.toml").unlink()
    line = bridge("check").line
    assert "simplebridge.toml:4: policy.file: " in line
    assert "No such file" in line


def test_a_byte_order_mark_is_no_mistake(bridge: Bridge) -> None:
    for name in ("simplebridge.toml", "policy.toml"):
        path = bridge.folder / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert bridge("check").code == 0
