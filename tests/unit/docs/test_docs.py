"""The documentation: links lead somewhere, every page is reached, and commands are those of the program."""

import re
import shlex
from pathlib import Path

import click
import pytest

from bridge.app.main import cli

ROOT = Path(__file__).parents[3]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:^\s*|[|;] ?|/bin/)simplebridge (.+)")


def links(page: Path) -> list[str]:
    text = _FENCE.sub("", page.read_text("utf-8"))
    return [target for target in _LINK.findall(text) if "://" not in target and not target.startswith("mailto:")]


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings have, as code hosts make them."""
    titles = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.relative_to(ROOT)}: {target}"
        if anchor:
            assert anchor in anchors(there), f"{page.relative_to(ROOT)}: {target}"


def test_every_page_is_reached_from_an_index() -> None:
    for index, folder in ((ROOT / "docs/README.md", ROOT / "docs"), (ROOT / "docs/adr/README.md", ROOT / "docs/adr")):
        reached = {(index.parent / target.partition("#")[0]).resolve() for target in links(index)}
        pages = set(folder.rglob("*.md")) - {index}
        if folder.name == "docs":
            pages = {page for page in pages if page.parent.name != "adr"}
        assert pages <= reached, sorted(str(page) for page in pages - reached)


def commands() -> list[tuple[Path, str]]:
    """Every command line of the program that stands in a block of shell in the documentation."""
    found = []
    for page in PAGES:
        for kind, block in _FENCE.findall(page.read_text("utf-8")):
            if kind == "sh":
                found += [
                    (page, match[1])
                    for line in block.replace("\\\n", " ").splitlines()
                    if (match := _COMMAND.search(line))
                ]
    return found


@pytest.mark.parametrize(("page", "line"), commands(), ids=lambda part: str(part)[-60:])
def test_commands_and_options_are_there(page: Path, line: str) -> None:
    words = shlex.split(line.partition(" > ")[0].partition(" | ")[0], comments=True)
    command: click.Command = cli
    context = click.Context(cli)
    options = {name for parameter in cli.params for name in parameter.opts}
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            assert word.partition("=")[0] in options, f"{page.relative_to(ROOT)}: {line}"
            skip = word == "--config"
        elif isinstance(command, click.Group):
            _, found, _ = command.resolve_command(context, [word])
            assert found is not None, f"{page.relative_to(ROOT)}: no command {word!r} in {line!r}"
            command = found
            options |= {name for parameter in command.params for name in parameter.opts}
    assert not isinstance(command, click.Group), f"{page.relative_to(ROOT)}: {line}"
