"""The surface that people and scripts rely on, driven as they drive it: commands as processes, beside a daemon."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.integration.wire import Phone
from tests.kit.daemon import ROOT, BridgeProcess, DaemonError, Person, until
from tests.kit.ports import free_port
from tests.unit.app.commands import CONFIG
from tests.unit.app.commands import POLICY as SMALL_POLICY

PASSWORD = "ein Geheimwort"
POLICY = """
[policy]
version = "1"
[lexicons.falcon]
words = ["project falcon"]
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:{domain}"]
to = ["domain:{domain}"]
[[rule]]
id = "watched"
effect = "forbid"
mode = "notify"
lexicon = ["falcon"]
[[rule]]
id = "on-trial"
effect = "forbid"
mode = "shadow"
lexicon = ["falcon"]
"""
SOON = 2.0
"""Seconds within which a change by a command holds."""


@frozen
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def run(folder: Path, *args: str, stdin: bytes = b"", **more: Any) -> Done:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more.pop("env", {})}
    done = subprocess.run(
        [sys.executable, "-m", "bridge", *args],
        input=stdin,
        capture_output=True,
        cwd=folder,
        env=environment,
        timeout=30,
        check=False,
        **more,
    )
    result = Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
    assert "Traceback" not in result.err, result.err
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "simplebridge.toml").write_text(CONFIG, "utf-8")
    (tmp_path / "policy.toml").write_text(SMALL_POLICY, "utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def bridge(metrics_port: int) -> Iterator[BridgeProcess]:
    people = [Person(user=user, password=PASSWORD) for user in ("alice", "bob", "carol")]
    metrics = f'[metrics]\nlisten = "127.0.0.1:{metrics_port}"\n'
    with BridgeProcess(people=people, policy=POLICY, more=metrics) as process:
        yield process


@pytest.fixture
def alice(bridge: BridgeProcess) -> Iterator[Phone]:
    yield from _phone(bridge, "alice")


@pytest.fixture
def bob(bridge: BridgeProcess) -> Iterator[Phone]:
    yield from _phone(bridge, "bob")


def _phone(bridge: BridgeProcess, user: str) -> Iterator[Phone]:
    with Phone(bridge, user, password=PASSWORD) as phone:
        assert phone.register().status == 200
        yield phone


# The configuration's place, streams and exit codes


def test_where_the_configuration_is_found(folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    config = str(folder / "simplebridge.toml")
    assert run(folder, "check").code == 0
    assert run(elsewhere, "check", env={"SIMPLEBRIDGE_CONFIG": config}).code == 0
    assert run(elsewhere, "--config", config, "check", env={"SIMPLEBRIDGE_CONFIG": "none.toml"}).code == 0
    for order in (("--json", "check", "--config", config), ("--config", config, "check", "--json")):
        assert json.loads(run(elsewhere, *order).out)["ok"] is True
    missing = run(elsewhere, "check")
    assert (missing.code, missing.out) == (2, "")
    assert "no configuration" in missing.err


def test_wrong_use_is_one_line(folder: Path) -> None:
    for args in (("nosuch",), ("user", "add"), ("--nosuch",)):
        done = run(folder, *args)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done
        assert "--help" in done.err


def test_what_is_no_configuration(folder: Path) -> None:
    (folder / "junk").write_bytes(b"\xff\x00" * 1000)
    for name, said in (("junk", "is not UTF-8"), (".", "Is a directory"), ("/dev/zero", "is larger than")):
        done = run(folder, "--config", name, "check")
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert said in done.err


@pytest.mark.parametrize("command", [("user", "list"), ("identity", "export")])
def test_output_that_cannot_be_written(folder: Path, command: tuple[str, ...]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "bridge", *command]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, cwd=folder, env=environment, check=False)
    assert (done.returncode, done.stderr) == (2, b"simplebridge: standard output: No space left on device\n")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, cwd=folder, env=environment, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_closed_streams_do_no_harm(folder: Path) -> None:
    def close() -> None:
        os.closerange(0, 3)

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "bridge", "user", "list"]
    assert subprocess.run(words, cwd=folder, env=environment, preexec_fn=close, check=False).returncode == 0


# People


@pytest.mark.parametrize("locale", ["C"])
def test_a_password_is_utf_8_whatever_the_locale(folder: Path, locale: str) -> None:
    environment = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    add = ("user", "add", "a@corp.example", "--password-stdin")
    assert "is not UTF-8" in run(folder, *add, stdin=b"\xff\n", env=environment).err
    assert run(folder, *add, stdin="pässwörd€\r\nmore".encode(), env=environment).code == 0


def test_only_the_owner_reads_what_is_kept(folder: Path) -> None:
    assert run(folder, "user", "add", "a@corp.example", "--password-stdin", stdin=b"x\n").code == 0
    assert [str(path) for path in (folder / "var").rglob("*") if path.stat().st_mode & 0o077] == []


def test_a_disabled_person_sends_nothing_soon(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    assert alice.message("bob", "one").status == 202
    assert bob.text()[1] == "one"
    bridge.cli("user", "disable", "alice@corp.example")

    def refused() -> bool:
        status = alice.message("bob", "two").status
        if status == 202:  # what is taken is delivered; bob takes it, and nothing is under way when he leaves
            assert bob.text()[1] == "two"
        return status != 202

    until(refused, SOON, "the refusal")
    bridge.cli("user", "enable", "alice@corp.example")
    until(lambda: alice.register().status == 200, SOON, "the way back")


# Policy


def test_a_broken_policy_changes_nothing(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    before = bridge.status()["policy"]
    bridge.write_policy(POLICY + '[[rule]]\nid = "inside"\neffect = "alow"\n')
    try:
        with pytest.raises(DaemonError, match="unknown value 'alow'"):
            bridge.reload()
        assert bridge.status()["policy"] == before
        done = run(bridge.folder, "check")
        assert done.code == 2
        assert "policy.toml:23:1: rule 'inside': effect" in done.err
        assert '"event":"not reloaded","level":"error"' in bridge.log_tail()
        assert alice.message("bob", "as before").status == 202
        assert bob.text()[1] == "as before"
    finally:
        bridge.write_policy(POLICY)
        bridge.reload()


def test_an_alert_is_told_recorded_and_counted(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    before = bridge.status()["messages"]["alerts"]
    assert alice.message("bob", "about Project F\u0430lcon").status == 202
    assert bob.text()[1] == "about Project F\u0430lcon"
    fields = [found.record.fields for found in bridge.records() if "alerts" in found.record.fields][-1]
    assert (fields["alerts"], fields["would_have"], fields["decision"]) == (["watched"], ["on-trial"], "allow")
    assert bridge.status()["messages"]["alerts"] == before + 1
    assert '"rules":["watched"],"decision":"allow","event":"policy alert","level":"warning"' in bridge.log_tail()


# The record


def test_a_proof_by_the_specification_alone(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    assert alice.message("bob", "prove me").status == 202
    assert bob.text()[1] == "prove me"
    event = [found.row.msg_id for found in bridge.records() if found.row.msg_id][-1]
    until(lambda: len(bridge.about(str(event))) == 3, 10.0, "the outcome")
    size = len(bridge.records())
    until(lambda: (bridge.status()["checkpoint"] or {"size": 0})["size"] >= size, 10.0, "the checkpoint")
    proofs = json.loads(bridge.cli("audit", "prove", str(event), "--json"))
    assert [one["event"] for one in proofs] == ["intake", "decision", "outcome"]
    key = (bridge.data / "log/log.vkey").read_text()
    for one in proofs:
        assert _proven(one["proof"], bytes.fromhex(one["hash"]), key) == one["seq"]
        other = one["proof"].replace(f"index {one['seq']}", f"index {one['seq'] - 1}")
        with pytest.raises(AssertionError):
            _proven(other, bytes.fromhex(one["hash"]), key)


def _proven(proof: str, leaf: bytes, key: str) -> int:
    """Checks a C2SP tlog-proof, its signed-note checkpoint and the path (RFC 9162 section 2.1.3.2)."""
    head, checkpoint = proof.split("\n\n", 1)
    form, extra, index, *path = head.split("\n")
    assert form == "c2sp.org/tlog-proof@v1"
    assert hashlib.sha256(b"\0" + base64.b64decode(extra.removeprefix("extra "))).digest() == leaf
    body, signatures = checkpoint.split("\n\n")
    origin, size, root = (body + "\n").split("\n")[:3]
    name, number, encoded = key.strip().split("+", 2)
    public = base64.b64decode(encoded)
    assert origin == name
    assert hashlib.sha256(name.encode() + b"\n" + public).digest()[:4].hex() == number
    (signature,) = [base64.b64decode(x.split(" ")[2]) for x in signatures.splitlines() if x.startswith(f"— {name} ")]
    assert signature[:4].hex() == number
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[4:], (body + "\n").encode())
    first, last, found = int(index.removeprefix("index ")), int(size) - 1, leaf
    for sibling in map(base64.b64decode, path):
        assert last
        if first & 1 or first == last:
            found = hashlib.sha256(b"\1" + sibling + found).digest()
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\1" + found + sibling).digest()
        first, last = first >> 1, last >> 1
    assert last == 0
    assert found == base64.b64decode(root)
    return int(index.removeprefix("index "))


def test_an_export_is_its_owners_and_verifies_alone(bridge: BridgeProcess) -> None:
    output = bridge.folder / "all.jsonl"
    made = json.loads(bridge.cli("audit", "export", "--format", "jsonl", "--output", str(output), "--json"))
    assert made["records"] == len(output.read_bytes().splitlines())
    assert made["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
    assert [oct(Path(made[name]).stat().st_mode & 0o777) for name in ("output", "manifest")] == ["0o600", "0o600"]
    key = bridge.folder / "kept.vkey"
    key.write_text((bridge.data / "log/log.vkey").read_text())
    verify = ("audit", "verify-export", str(output), "--key", str(key))
    assert run(bridge.folder, *verify).code == 0
    data = bytearray(output.read_bytes())
    data[len(data) // 2] ^= 1
    output.write_bytes(data)
    assert run(bridge.folder, *verify).code == 1


def test_metrics_are_plain_numbers(bridge: BridgeProcess, metrics_port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=5) as answer:
        lines = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
    assert float(lines['simplebridge_messages_total{event="received"}']) == bridge.status()["messages"]["received"]
    assert float(lines['simplebridge_journal_total{kind="failed"}']) == 0


def test_the_log_tells_no_secret(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    assert alice.message("bob", "nobody else reads this").status == 202
    assert bob.text()[1] == "nobody else reads this"
    told = bridge.log.read_text("utf-8")
    for secret in (PASSWORD, "nobody else reads this", "Digest "):
        assert secret not in told


# Life


def test_another_daemon_is_refused(bridge: BridgeProcess) -> None:
    done = run(bridge.folder, "run")
    assert done.code == 2
    assert "another daemon runs on" in done.err
    other = bridge.folder / "other.toml"
    other.write_text(bridge.config.read_text("utf-8").replace('"var"', '"var2"'), "utf-8")
    done = run(bridge.folder, "run", "--config", "other.toml")
    assert done.code == 2
    assert f"other.toml:6: sip.listen: udp:127.0.0.1:{bridge.port} cannot be opened: Address already in use" in done.err
    assert bridge.status()["state"] == "up"


def test_the_service_manager_is_told(bridge: BridgeProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bridge.folder / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        bridge.restart()
        assert manager.recv(100) == b"READY=1"
        os.kill(bridge.pid, signal.SIGHUP)
        assert [manager.recv(100), manager.recv(100)] == [b"RELOADING=1", b"READY=1"]
        assert bridge.terminate() == 0
        assert manager.recv(100) == b"STOPPING=1"
    bridge.start()  # the manager is gone: it is up, and stops in order, all the same
    assert bridge.terminate() == 0
    assert '"event":"the service manager cannot be told"' in bridge.log_tail()
    monkeypatch.delenv("NOTIFY_SOCKET")
    bridge.start()


@pytest.mark.parametrize("name", ["master.key", "log.key"])
def test_a_lost_key_is_not_made_anew(bridge: BridgeProcess, name: str) -> None:
    assert bridge.terminate() == 0
    key = bridge.data / "keys" / name
    kept = key.read_bytes()
    key.unlink()
    try:
        done = run(bridge.folder, "run")
        assert done.code == 2
        assert f"{name}: No such file" in done.err
        assert not key.exists()
        assert run(bridge.folder, "audit", "verify").code == 2
    finally:
        key.touch(0o600)
        key.write_bytes(kept)
        bridge.start()
    assert run(bridge.folder, "audit", "verify").code == 0


def test_after_a_stop_the_file_alone_holds_everything(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    assert alice.message("bob", "the last word").status == 202
    assert bob.text()[1] == "the last word"
    assert bridge.terminate() == 0
    assert not [path.name for path in bridge.data.glob("bridge.db-*")]
    bridge.start()
