"""A bridge of its own for each test."""

from pathlib import Path

import pytest

from tests.unit.app.commands import CONFIG, POLICY, Bridge


@pytest.fixture
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bridge:
    """A bridge that is configured and has no people yet."""
    (tmp_path / "simplebridge.toml").write_text(CONFIG)
    (tmp_path / "policy.toml").write_text(POLICY)
    return Bridge(tmp_path, monkeypatch)
