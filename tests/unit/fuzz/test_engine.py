"""The fuzz engine: the same run from the same seed, bounded inputs, and a failure that is seen, kept and told."""

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from tests.fuzz import __main__ as program
from tests.fuzz.engine import MAX_BYTES, Mutator, TooSlowError, drive
from tests.fuzz.worker import Current

SEEDS = [b"MESSAGE sip:a@b SIP/2.0\r\n", b"{}", b""]


def some(seed: str, number: int = 3000) -> list[bytes]:
    return list(islice(Mutator(SEEDS, Random(seed)).inputs(), number))


def test_the_same_seed_makes_the_same_inputs() -> None:
    assert some("a") == some("a")
    assert some("a") != some("b")


def test_seeds_come_first_and_changes_differ_and_are_bounded() -> None:
    made = some("a")
    assert made[:3] == SEEDS
    assert len(set(made)) > 2000
    assert max(map(len, made)) <= MAX_BYTES


def test_what_a_target_raises_comes_through() -> None:
    def one(data: bytes) -> None:
        if b"\xff" in data:
            raise KeyError("found")

    fed: list[bytes] = []
    with pytest.raises(KeyError):
        drive(one, Mutator(SEEDS, Random(1)), seconds=60, limit=1, about_to=fed.append)
    assert b"\xff" in fed[-1]


def test_time_ends_a_run_after_all_seeds() -> None:
    ticks: Iterator[int] = count()
    fed: list[bytes] = []
    number = drive(
        fed.append, Mutator(SEEDS, Random(1)), seconds=0, limit=1, about_to=lambda _: None, clock=lambda: next(ticks)
    )
    assert number == len(SEEDS)
    assert fed == SEEDS


def test_a_slow_input_is_a_failure() -> None:
    cpu = iter([0.0, 0.5, 1.0, 2.5])
    with pytest.raises(TooSlowError, match=r"took 1\.50 s"):
        drive(
            lambda _: None,
            Mutator(SEEDS, Random(1)),
            seconds=60,
            limit=1,
            about_to=lambda _: None,
            cpu=lambda: next(cpu),
        )


def test_the_current_input_outlives_its_process(tmp_path: Path) -> None:
    current = Current.create(tmp_path / "c")
    current.put(b"a longer one")
    current.put(b"short")
    assert Current.read(tmp_path / "c") == b"short"


def test_the_program_passes_and_says_so(tmp_path: Path) -> None:
    arguments = ["--seconds", "0.1", "--only", "names_csv", "--seed", "x", "--folder", str(tmp_path)]
    result = CliRunner().invoke(program.main, arguments)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[0].startswith("seed x,")
    assert result.output.splitlines()[-1] == "1 passed, 0 failed"
    assert list(tmp_path.iterdir()) == []


def test_a_failing_target_is_told_with_its_input(tmp_path: Path) -> None:
    # An allowance of next to nothing makes a failure of every target.
    arguments = ["--seconds", "0.1", "--only", "names_csv", "--limit", "1e-9", "--folder", str(tmp_path)]
    result = CliRunner().invoke(program.main, arguments)
    assert result.exit_code == 1, result.output
    assert "TooSlowError" in result.output
    assert result.output.splitlines()[-1] == "0 passed, 1 failed"
    (kept,) = tmp_path.iterdir()
    assert kept.name.startswith("names_csv-")


def test_an_unknown_target_is_wrong_use() -> None:
    result = CliRunner().invoke(program.main, ["--only", "nothing"])
    assert result.exit_code == 2
    assert "known are" in result.output


def test_every_target_can_be_driven() -> None:
    import importlib

    for name in program.targets():
        module = importlib.import_module(f"tests.fuzz.fuzz_{name}")
        assert module.SEEDS, name
        assert all(type(seed) is bytes for seed in module.SEEDS), name
        assert callable(module.one), name
