"""Reading back: by message, person and time; proofs and exports that a stranger can check."""

import io
import random
import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from bridge.compliance import record
from bridge.compliance.checkpoint import Proof, VerifierKey, verify_proof
from bridge.compliance.errors import NoteError, ProofError
from bridge.compliance.export import export_jsonl, verify_export
from bridge.compliance.merkle import leaf_hash
from bridge.compliance.opening import Opener
from bridge.compliance.query import Prover, Span, prove_message, read_records
from bridge.compliance.verify import Kept, verify_log
from bridge.delivery.ports import Entry
from bridge.model.envelope import Direction
from bridge.store.reader import SqliteLogReader
from tests.unit.compliance.samples import AIM, NOW, PICTURE, event_id, message
from tests.unit.store.world import World, change_body, change_leaf, drop_key, sent, settled


@pytest.fixture
def filled(world: World) -> World:
    for number in range(4):
        world.direct.commit(sent(number, f"text {number} ☕"))
    picture = message(4, "look", attachments=(PICTURE,))
    world.direct.commit(Entry(records=(record.intake(picture, identity_version=3, scans={PICTURE.sha256: "clean"}),)))
    world.direct.commit(settled(event_id(1), 2, "failed", "404 theboogyman"))
    letter = record.dead_letter(
        event_id(9), network=AIM, account="ouraccount", direction=Direction.INBOUND, raw=b"\xff\x00", reason="cut short"
    )
    world.direct.commit(Entry(records=(letter,)))
    world.publish()
    return world


def _read(world: World, span: Span | None = None) -> list[Any]:
    with SqliteLogReader(world.path) as reader:
        opener = Opener(world.writer.log_id, world.keyring, reader.keks())
        return list(read_records(reader, opener, span))


def test_all_records_come_back_as_they_were(filled: World) -> None:
    found = _read(filled)
    assert [item.row.event for item in found] == ["intake", "decision"] * 4 + ["intake", "outcome", "intake"]
    assert found[2].record.envelope == message(1, "text 1 ☕")
    assert found[8].record.envelope == message(4, "look", attachments=(PICTURE,))
    assert found[8].record.fields["attachments"][0]["av"] == "clean"
    assert found[9].record.payload == {"detail": "404 theboogyman"}
    assert found[9].record.fields["outcome"][0]["code"] == "failed"
    assert found[10].record.payload == {"account": "ouraccount", "raw": "ff00", "reason": "cut short"}
    assert all(item.problem == "" for item in found)


def test_no_leaf_shows_a_name_or_a_text(filled: World) -> None:
    for item in _read(filled):
        for secret in (b"alice", b"boogyman", b"text ", b"look", b"menu", b"192.0.2.1"):
            assert secret not in (item.row.content or b"").lower()
    raw = b"".join(path.read_bytes() for path in filled.files.folder.rglob("*") if path.is_file())
    assert b"boogyman" not in raw
    assert b"alice" not in raw


def test_a_persons_records_hold_decisions_and_outcomes_too(filled: World) -> None:
    assert len(_read(filled, Span(person="alice@corp.example"))) == 10
    assert _read(filled, Span(person="bob@corp.example")) == []


def test_a_span_of_time(filled: World) -> None:
    found = _read(filled, Span(since=NOW + 1, until=NOW + 3))
    assert [item.row.msg_id for item in found if item.row.event == "intake"] == [event_id(1), event_id(2)]


def test_pseudonyms_change_with_the_month(world: World) -> None:
    world.direct.commit(sent(1))
    world.clock.now += 40 * 86400
    world.direct.commit(sent(2))
    one, other = (item for item in _read(world) if item.row.event == "intake")
    assert one.record.fields["sender_pid"] != other.record.fields["sender_pid"]
    assert len(_read(world, Span(person="alice@corp.example"))) == 4
    assert world.verify().ok


def test_a_proof_is_enough_by_itself(filled: World) -> None:
    key = VerifierKey.parse((filled.files.folder / "log.vkey").read_text())
    with SqliteLogReader(filled.path) as reader:
        proofs = prove_message(reader, filled.files, [key], event_id(1))
    assert [row.event for row, _ in proofs] == ["intake", "decision", "outcome"]
    for row, proof in proofs:
        again = Proof.parse(proof.text())
        assert again == proof
        assert verify_proof(again, leaf_hash(again.extra), [key]).size == 11
        with pytest.raises(ProofError):
            verify_proof(again, leaf_hash(again.extra + b" "), [key])
        assert row.content == again.extra


def test_a_proof_of_what_is_not_published_or_not_there_is_refused(filled: World) -> None:
    filled.direct.commit(sent(20))
    with SqliteLogReader(filled.path) as reader:
        with pytest.raises(ProofError, match="newer than the published"):
            prove_message(reader, filled.files, [filled.signer.verifier], event_id(20))
        with pytest.raises(ProofError, match="no record of message"):
            prove_message(reader, filled.files, [filled.signer.verifier], event_id(99))


def _export(world: World, span: Span | None = None) -> tuple[bytes, str]:
    out = io.BytesIO()
    with SqliteLogReader(world.path) as reader:
        opener = Opener(world.writer.log_id, world.keyring, reader.keks())
        _, note = export_jsonl(
            read_records(reader, opener, span),
            out,
            prover=Prover(world.files, [world.signer.verifier]),
            signer=world.signer,
            complete=span is None,
        )
    return out.getvalue(), note


@pytest.mark.parametrize("span", [None, Span(since=NOW + 1, until=NOW + 3)])
def test_an_export_is_verified_with_the_public_key_alone(filled: World, span: Span | None) -> None:
    lines, note = _export(filled, span)
    manifest, findings = verify_export(io.BytesIO(lines), note, [filled.signer.verifier])
    assert findings == []
    assert manifest.count == len(lines.splitlines())
    assert orjson.loads(lines.splitlines()[0])["body"]["parts"][0]["text"].startswith("text")


@pytest.mark.parametrize("span", [None, Span(since=NOW + 1, until=NOW + 3)])
def test_a_changed_byte_of_an_export_is_found(filled: World, span: Span | None) -> None:
    lines, note = _export(filled, span)
    chance = random.Random(3)
    for at in [0, len(lines) - 1, *(chance.randrange(len(lines)) for _ in range(60))]:
        broken = bytearray(lines)
        broken[at] ^= 1 << chance.randrange(8)
        assert verify_export(io.BytesIO(broken), note, [filled.signer.verifier])[1], at
    assert verify_export(io.BytesIO(lines[: lines.index(b"\n") + 1]), note, [filled.signer.verifier])[1]
    encoded = note.encode()
    for at in range(0, len(encoded), 7):
        broken = bytearray(encoded)
        broken[at] ^= 1
        with pytest.raises((NoteError, UnicodeDecodeError)):
            verify_export(io.BytesIO(lines), broken.decode(), [filled.signer.verifier])


def test_an_export_that_is_older_than_a_kept_checkpoint_is_found(filled: World) -> None:
    lines, note = _export(filled)
    older = Kept("older", (filled.files.folder / "checkpoint").read_text())
    filled.direct.commit(sent(30))
    filled.publish()
    newer = Kept("newer", (filled.files.folder / "checkpoint").read_text())
    keys = [filled.signer.verifier]
    assert verify_export(io.BytesIO(lines), note, keys, [older])[1] == []
    assert [finding.where for finding in verify_export(io.BytesIO(lines), note, keys, [newer])[1]] == ["newer"]


def test_a_log_that_is_being_written_is_verified_as_of_now(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published between the opening of the reader and the check, and again between the files' list and the rows."""
    keys = [filled.signer.verifier]
    with SqliteLogReader(filled.path) as reader:
        filled.direct.commit(sent(40))
        filled.publish()
        assert verify_log(reader, files=filled.files, keys=keys, keyring=filled.keyring).ok
        refresh = reader.refresh

        def late() -> None:
            for number in range(41, 200):
                filled.direct.commit(sent(number))
            filled.publish()
            refresh()

        monkeypatch.setattr(reader, "refresh", late)
        report = verify_log(reader, files=filled.files, keys=keys, keyring=filled.keyring)
        assert report.ok, report.findings
        assert report.size == 331


def test_disposal_and_erasure_are_findings_unless_a_leaf_says_so(filled: World, tmp_path: Path) -> None:
    """Drop ciphertext, key and content; keep the hash: the log still verifies, also without the keys."""
    with sqlite3.connect(filled.path) as connection:
        drop_key(connection, 0)
        drop_key(connection, 2)
        change_body(connection, 2, None)
        change_leaf(connection, 2, content=b"")
    connection.close()
    assert {(finding.where, finding.seq) for finding in filled.verify().findings} >= {("data_key", 0), ("leaf", 2)}
    gone = record.event(record.DISPOSE, actor="retention", fields={"leaves": [[0, 0], [2, 2]]})
    filled.direct.commit(Entry(records=(gone,)))
    report = filled.verify()
    # The delivery of a message that was disposed of must have been settled first.
    assert {finding.where for finding in report.findings} <= {"tile/entries/000.p/11"}, report.findings
    assert report.destroyed == 2
    (item, *_) = _read(filled)
    assert item.problem.startswith("gone")
    filled.publish()
