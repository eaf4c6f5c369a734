"""What the documentation says of the configuration is what the code reads."""

from pathlib import Path

from bridge.app import reference
from bridge.app.config import load
from bridge.app.home import Home

ROOT = Path(__file__).parents[3]
HOW = "make it again: python -m bridge.app.reference docs/reference/configuration.md conf/simplebridge.toml"


def test_the_reference_page_is_made_from_the_code() -> None:
    assert (ROOT / "docs/reference/configuration.md").read_text("utf-8") == reference.page(), HOW


def test_the_example_is_made_from_the_code() -> None:
    assert (ROOT / "conf/simplebridge.toml").read_text("utf-8") == reference.example(), HOW


def test_the_example_can_be_used_as_it_is() -> None:
    home = Home(load(ROOT / "conf/simplebridge.toml"))
    assert set(home.config.networks) == {"aim"}


def test_every_default_of_the_example_is_the_default(tmp_path: Path) -> None:
    """A commented key, made live, changes nothing: but for paths and texts that are empty, which mean none."""
    live = []
    for line in reference.example().splitlines():
        bare = line.removeprefix("# ")
        key, _, value = bare.partition(" = ")
        is_default = line != bare and key.isidentifier() and value and value != '""'
        live.append(bare if is_default else line)
    (tmp_path / "live.toml").write_text("\n".join(live))
    (tmp_path / "plain.toml").write_text(reference.example())
    one, other = Home(load(tmp_path / "live.toml")), Home(load(tmp_path / "plain.toml"))
    for section in ("bridge", "store", "sip", "policy", "delivery", "compliance", "metrics"):
        assert getattr(one.config, section) == getattr(other.config, section)
    assert one.options == other.options


def test_every_key_is_told() -> None:
    page = reference.page()
    for _, cls in reference._SECTIONS:
        for name, _, _, _ in reference.documented(cls):
            assert f"| `{name}` |" in page
