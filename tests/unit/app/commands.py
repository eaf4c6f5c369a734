"""Runs commands of the command line in this process, as ``main`` runs them: with exit codes and both streams."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import define, frozen
from click.testing import CliRunner

from bridge.app.main import main

CONFIG = """[bridge]
domain = "corp.example"
[policy]
file = "policy.toml"
[networks.aim]
kind = "oscar"
domain = "aim.corp.example"
server = "127.0.0.1:5190"
"""
POLICY = """[policy]
version = "1"
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:corp.example"]
to = ["domain:corp.example"]
[[rule]]
id = "aim"
effect = "allow"
from = ["domain:corp.example"]
to = ["network:aim"]
direction = "both"
[[test]]
from = "alice@corp.example"
to = "aim/theboogyman"
expect = "allow"
rule = "aim"
"""


@frozen
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def line(self) -> str:
        """The one line that it said on standard error."""
        (line,) = self.err.splitlines()
        return line


@define
class Bridge:
    """A bridge in a folder, and its commands."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch

    @property
    def config(self) -> Path:
        return self.folder / "simplebridge.toml"

    def __call__(self, *arguments: str, stdin: str = "", config: Path | None = None) -> Done:
        command = ["simplebridge", "--config", str(config or self.config), *arguments]
        with self.monkeypatch.context() as patch, CliRunner().isolation(input=stdin) as streams:
            patch.setattr(sys, "argv", command)
            code: object = 0
            try:
                main()
            except SystemExit as e:
                code = e.code
            sys.stdout.flush()
            out, err = streams[0].getvalue().decode(), streams[1].getvalue().decode()
        assert code is None or isinstance(code, int)
        return Done(code or 0, out, err)

    def good(self, *arguments: str, stdin: str = "") -> Done:
        """Runs a command that must succeed in silence on standard error."""
        done = self(*arguments, stdin=stdin)
        assert (done.code, done.err) == (0, ""), done
        return done
