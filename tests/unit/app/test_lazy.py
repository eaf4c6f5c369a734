"""A command loads what it needs itself: --help loads no command, and what only reads does not load what serves."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from bridge.app.cli.lazy import LazyGroup
from bridge.app.main import cli
from tests.unit.app.commands import CONFIG, POLICY

ROOT = Path(__file__).parents[3]
SERVING = ("twisted", "uvloop", "structlog", "alembic", "transports.oscar", "bridge.delivery")
"""What the daemon is made of, and what a migration needs."""
ALL = (*SERVING, "sqlalchemy", "cryptography", "rich", "attr", "cattrs", "bridge.policy", "bridge.app.config")
_SCRIPT = """
import sys
from bridge.app.main import main
sys.argv = ["simplebridge", *sys.argv[1:]]
code = 0
try:
    main()
except SystemExit as end:
    code = end.code or 0
print("\\n", code, *sys.modules)
"""


def loaded(folder: Path, *arguments: str, code: int = 0) -> set[str]:
    """The modules that a command loads, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *arguments],
        cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    ended, *modules = done.stdout.splitlines()[-1].split()
    assert int(ended) == code, done
    return set(modules)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "simplebridge.toml").write_text(CONFIG, "utf-8")
    (tmp_path / "policy.toml").write_text(POLICY, "utf-8")
    return tmp_path


def without(modules: set[str], names: tuple[str, ...]) -> None:
    assert [name for name in names if name in modules] == []


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run", "--help")], ids=" ".join)
def test_help_loads_nothing(folder: Path, arguments: tuple[str, ...]) -> None:
    without(loaded(folder, *arguments), ALL)


def test_a_check_loads_neither_the_store_nor_what_serves(folder: Path) -> None:
    without(loaded(folder, "check"), (*SERVING, "sqlalchemy", "cryptography"))


def test_a_status_loads_the_configuration_alone(folder: Path) -> None:
    without(loaded(folder, "status", code=1), (*SERVING, "sqlalchemy", "cryptography", "re2"))


def test_a_list_of_users_loads_the_store_and_not_what_serves(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "user", "add", "a@corp.example", "--password-stdin"],
        input="x\n", text=True, cwd=folder, env={"PYTHONPATH": str(ROOT)}, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    without(loaded(folder, "user", "list"), (*SERVING, "re2"))


def test_what_is_told_of_a_command_is_what_it_says_itself() -> None:
    assert isinstance(cli, LazyGroup)
    for name, listed in cli.commands.items():
        command = cli.load(name)
        assert command.name == name
        assert (command.help or "").partition("\n\n")[0].replace("\n", " ") == listed.help


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(click.UsageError, match="No such command 'nosuch'"):
        cli.resolve_command(click.Context(cli), ["nosuch"])
