"""The measure of what the record costs: turn about, by medians, and nothing lost in silence."""

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.compliance import record
from bridge.compliance.keys import Keyring
from bridge.compliance.record import Recorded
from bridge.delivery.ports import CommitFailed, Entry, Settlement
from bridge.store.writer import Submitted, Work
from tests.bench import __main__ as program
from tests.bench import bench_record, pairs
from tests.bench.unlogged import UnloggedJournal
from tests.bench.unrecorded import UnrecordedWriter
from tests.kit import values


class Runs:
    """Measurements as a test wants them."""

    def __init__(self, costs: dict[str, list[float]]) -> None:
        self.costs = costs
        self.order: list[str] = []

    def __call__(self, *, messages: int, window: int, command: list[str]) -> dict[str, float]:
        name = {"bridge": "on", "tests.bench.unrecorded": "off", "tests.bench.unlogged": "bare"}[command[-1]]
        self.order.append(name)
        cost = self.costs[name].pop(0)
        return {"messages": messages - 1.0, "per_second": 1e6 / cost, "cpu_us": cost, "refused": 0.0}


def test_rounds_alternate_and_medians_count() -> None:
    runs = Runs({"on": [120.0, 130.0, 900.0], "off": [100.0, 110.0, 90.0], "bare": [50.0, 65.0, 100.0]})
    figures = pairs.measure(pairs.Load(window=64, messages=100, pairs=3), run=runs)
    assert runs.order == ["on", "off", "bare", "bare", "off", "on", "on", "off", "bare"]
    assert (figures.cpu_us_on, figures.cpu_us_off, figures.ratio) == (130.0, 100.0, 1.3)
    assert (figures.cpu_us_bare, figures.bare_ratio) == (65.0, 2.0)
    assert list(figures.pair_ratios) == [1.2, 1.182, 10.0]
    assert figures.lost == 9


def test_every_case_has_three_rounds_at_least() -> None:
    for loads in (pairs.FULL, pairs.QUICK):
        assert [load.window for load in loads] == [1, 16, 64, 256]
        assert all(load.pairs >= 3 for load in loads)


def test_goals_are_held_against_what_was_measured() -> None:
    results = {
        "relay": [{"window": 64, "per_second": 0, "per_second_on": 9_000.0, "ratio": 1.2}],
        "codec": {"ratio": 6.5},
    }
    assert [(g.value, g.met) for g in program.goals(results)] == [(9_000.0, False), (1.2, True), (6.5, True)]


def test_numbers_are_written_with_their_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "PARTS", {"policy": lambda _: {"x": 1.0}})
    file = tmp_path / "out.json"
    result = CliRunner().invoke(program.main, ["--quick", "--json", str(file)])
    assert result.exit_code == 0, result.output
    written = json.loads(file.read_text())
    assert written["policy"] == {"x": 1.0}
    assert written["quick"] is True
    assert {"cpu", "python", "commit", "cores"} <= set(written["machine"])


def test_the_journal_without_a_log_hands_out_a_licence_for_each_record() -> None:
    journal = UnloggedJournal.__new__(UnloggedJournal)  # without a writer: it must not need one to answer
    answers: list[tuple[Recorded, ...] | CommitFailed] = []
    draft = record.intake(values.envelope(), identity_version=1)
    journal.commit(Entry(records=(draft, draft)), answers.append)
    journal.commit(Entry(records=(draft,)), answers.append)
    licences = [licence for answer in answers if isinstance(answer, tuple) for licence in answer]
    assert [licence.seq for licence in licences] == [0, 1, 2]
    assert licences[0].envelope == values.envelope()


def test_the_writer_without_a_log_keeps_what_was_accepted_until_it_is_delivered(tmp_path: Path) -> None:
    writer = UnrecordedWriter(tmp_path / "log.db", Keyring.ephemeral(), log_name="corp.example/bench")
    (entry,) = bench_record._entries(1)
    (before,) = writer.write([Work(None, lambda core: core.exec_driver_sql("SELECT 1").scalar(), None, print)])
    assert isinstance(before, Submitted)  # an operation goes the ordinary way
    ((licence, _),) = _written(writer, entry)
    stored = sqlite3.connect(tmp_path / "log.db")
    assert stored.execute("SELECT key, seq FROM outbox").fetchall() == [(entry.enqueue[0].key, licence.seq)]
    assert bench_record.TEXT.encode() in stored.execute("SELECT messages FROM unrecorded").fetchone()[0]
    _written(writer, Entry(settle=(Settlement(seq=licence.seq, key=entry.enqueue[0].key),)))
    assert stored.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
    assert stored.execute("SELECT size FROM log_state").fetchone() == (0,)
    stored.close()
    writer.close()


def _written(writer: UnrecordedWriter, entry: Entry) -> list[tuple[Recorded, ...]]:
    work = [Work(entry, None, None, print)]
    prepared = writer.prepare(work)
    assert prepared is not None
    return [answer for answer in writer.write(work, prepared) if isinstance(answer, tuple)]
