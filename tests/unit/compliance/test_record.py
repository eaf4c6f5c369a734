"""The licence to deliver: only the compliance log makes one, and only after the commit."""

import ast
import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import bridge
from bridge.compliance import record
from bridge.compliance.errors import UnrecordableError
from bridge.compliance.keys import Keyring
from bridge.compliance.log import Appender, Batch
from bridge.compliance.record import RecordDraft, Recorded, take_licence
from bridge.model.body import Edit, Message, Retract, TextPart
from bridge.model.ids import RemoteMessageId
from tests.unit.compliance.samples import ALICE, BOOGYMAN, NOW, event_id, message

ROOT = Path(bridge.__file__).parent.parent


def test_nobody_else_makes_a_licence() -> None:
    for licence in (None, object(), "licence", record._Licence()):
        with pytest.raises(TypeError, match="only the compliance log"):
            Recorded(licence, 0, b"h", "intake", "m", None)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="belongs to the compliance log alone"):
        take_licence()


def test_a_licence_is_neither_copied_nor_pickled() -> None:
    (licence,) = _durable(record.event(record.START, actor="service"))
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            duplicate(licence)


def test_no_code_but_the_log_asks_for_the_licence_or_makes_recorded_values() -> None:
    found = []
    for folder in ("bridge", "transports", "mappings"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                name = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", None)
                made = (
                    isinstance(node, ast.Call)
                    and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Recorded"
                )
                if made or name in {"take_licence", "_LICENCE"}:
                    found.append(str(path.relative_to(ROOT)))
    assert set(found) == {"bridge/compliance/log.py", "bridge/compliance/record.py"}


def test_delivery_takes_nothing_else_by_its_types(tmp_path: Path) -> None:
    """mypy refuses an envelope or a draft where a licence is asked for."""
    program = tmp_path / "leak.py"
    program.write_text(
        "from bridge.compliance.record import Recorded, RecordDraft\n"
        "from bridge.model.envelope import Envelope\n"
        "def deliver(event: Recorded) -> None: ...\n"
        "def leak(envelope: Envelope, draft: RecordDraft) -> None:\n"
        "    deliver(envelope)\n"
        "    deliver(draft)\n"
        "class Mine(Recorded): ...\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", f"--cache-dir={tmp_path}", str(program)]
    out = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=120).stdout
    assert [line.split("[")[-1] for line in out.splitlines() if "leak.py" in line and "error" in line] == [
        "arg-type]",
        "arg-type]",
        "misc]",
    ], out


def _batch() -> tuple[Appender, Batch]:
    appender = Appender("corp.example/log", Keyring.ephemeral())
    return appender, appender.begin(NOW)


def _durable(*drafts: RecordDraft) -> tuple[Recorded, ...]:
    appender, batch = _batch()
    staged = batch.add(drafts)
    appender.adopt(batch)
    return batch.recorded(staged)


def test_before_the_commit_there_is_no_licence() -> None:
    appender, batch = _batch()
    staged = batch.add([record.intake(message(), identity_version=1)])
    with pytest.raises(RuntimeError, match="before its batch is durable"):
        batch.recorded(staged)
    assert appender.size == 0
    appender.adopt(batch)
    (licence,) = batch.recorded(staged)
    assert licence.envelope == message()
    assert (licence.seq, licence.event, licence.msg_id) == (0, "intake", message().id)


def test_a_dropped_batch_leaves_no_trace_and_a_stale_one_is_not_adopted() -> None:
    appender, dropped = _batch()
    dropped.add([record.intake(message(), identity_version=1)])
    batch = appender.begin(NOW)
    batch.add([record.event(record.START, actor="service")])
    appender.adopt(batch)
    assert appender.size == 1
    with pytest.raises(RuntimeError, match="cannot be adopted"):
        appender.adopt(dropped)


def test_an_entry_is_taken_whole_or_not_at_all() -> None:
    _, batch = _batch()
    good, bad = record.intake(message(1), identity_version=1), record.intake(message(2, "\ud800"), identity_version=1)
    with pytest.raises(UnrecordableError):
        batch.add([good, bad])
    assert (batch.contents, batch.weight, batch.frontier.size) == ([], 0, 0)
    assert [seq for seq, _, _ in batch.add([good])] == [0]
    segment = batch.take()
    assert (segment.first, segment.names, len(segment.hashes), len(segment.contents)) == (0, [event_id(1)], 1, 1)
    assert (segment.bodies[::2], segment.data_keys[::3]) == ([0], [0])
    batch.add([record.event(record.START, actor="service")])
    assert (batch.take().first, batch.contents) == (1, [])


def test_kinds_of_intake_and_parents() -> None:
    first = record.intake(message(1), identity_version=1)
    words = Message(parts=(TextPart(text="dinner?"),))
    from attrs import evolve

    edit = evolve(message(2), body=Edit(target=RemoteMessageId("1"), replacement=words))
    gone = evolve(message(3), body=Retract(target=RemoteMessageId("1")))
    drafts = [
        first,
        record.decision(
            event_id(1), effect="allow", deciding="r", matched=("r",), reason_code="rule", policy_digest="d"
        ),
        record.intake(edit, identity_version=1),
        record.intake(gone, identity_version=1),
        record.outcome(event_id(1), recipient=BOOGYMAN, code="unknown", maybe_duplicate=True, parent=0),
    ]
    _, batch = _batch()
    batch.add(drafts)
    import orjson

    segment = batch.take()
    leaves = [orjson.loads(content) for content in segment.contents]
    assert [leaf["event"] for leaf in leaves] == ["intake", "decision", "edit", "remote_delete", "outcome"]
    assert segment.names == [event_id(1), event_id(2), event_id(3), event_id(1)]
    assert leaves[1]["parent_leaf"] == leaves[4]["parent_leaf"] == 0
    assert leaves[4]["outcome"][0] | {"pid": ""} == {"pid": "", "code": "unknown", "maybe_duplicate": True}
    assert "parent_leaf" not in leaves[2]


def test_what_cannot_be_told_is_refused() -> None:
    with pytest.raises(ValueError, match="outcome"):
        record.outcome(event_id(1), recipient=ALICE, code="probably")
    for kind in ("intake", "decision", "outcome", "party"):
        with pytest.raises(ValueError, match="no such record"):
            record.event(kind, actor="x")
    with pytest.raises(UnrecordableError):
        record.event(record.SEARCH, actor="x", detail={"words": object()})
    for fields in ({"seq": 5}, {"body_commit": "00"}, {"rate": 0.1}):
        with pytest.raises(UnrecordableError):
            _durable(record.event(record.SEARCH, actor="x", fields=fields))
