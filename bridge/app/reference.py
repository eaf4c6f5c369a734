"""The reference of the configuration, made from the configuration classes: docs cannot drift from what is read.

``python -m bridge.app.reference docs/reference/configuration.md conf/simplebridge.toml`` writes both; a test fails when
they are not what this makes.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from bridge.app import quirksection, sections, trunksections
from bridge.app.registry import KINDS
from bridge.app.values import Listen

_SECTIONS = (
    ("bridge", sections.BridgeSection),
    ("store", sections.StoreSection),
    ("sip", sections.SipSection),
    ("sip.quirks", quirksection.QuirkSection),
    ("sip.trusted_peers", trunksections.PeerSection),
    ("sip.routes", trunksections.RouteSection),
    ("policy", sections.PolicySection),
    ("delivery", sections.DeliverySection),
    ("presence", sections.PresenceSection),
    ("lists", sections.ListSection),
    ("compliance", sections.ComplianceSection),
    ("metrics", sections.MetricsSection),
    ("networks.NAME", sections.NetworkSection),
)
_TABLES_OF_THEIR_OWN = {"options", "quirks", "trusted_peers", "routes"}
_LISTS = {"sip.quirks", "sip.trusted_peers", "sip.routes", "lists"}
"""Tables that may stand there many times, or not at all."""
_HEAD = """# Configuration

One TOML file: `--config FILE`, else `$SIMPLEBRIDGE_CONFIG`, else `./simplebridge.toml`, else
`/etc/simplebridge/simplebridge.toml`. Relative paths are relative to the folder of that file. `simplebridge check`
names the file, the line and the key of whatever is wrong. A reload (SIGHUP) takes a changed policy, lists and
certificates; any other change needs a restart, and the log says so.

This page is made from the code (`python -m bridge.app.reference`).
"""
_EXAMPLES = {
    "domain": '"corp.example"',
    "NetworkSection.domain": '"aim.corp.example"',
    "RouteSection.domain": '"partner.example"',
    "address": '"127.0.0.1:5070"',
    "kind": '"oscar"',
    "ListSection.address": '"team@corp.example"',
    "members": '["bob@corp.example", "theboogyman@aim.corp.example"]',
    "QuirkSection.name": '"linphone"',
    "user_agent": "'^Linphone'",
    "reason": '"what they do, and where it was seen"',
    "server": '"127.0.0.1:5190"',
    "LoopbackOptions.server": '"127.0.0.1:7070"',
    "YmsgOptions.server": '"127.0.0.1:5050"',
    "MsnpOptions.server": '"127.0.0.1:1863"',
    "IrcOptions.server": '"127.0.0.1:6667"',
    "homeserver": '"http://127.0.0.1:8008"',
    "server_name": '"example.org"',
}


def documented(cls: type[Any]) -> Iterator[tuple[str, str, str | None, str]]:
    """Yields name, type, default (None: it must be given) and text of each key of a section."""
    texts = _texts(cls)
    for attribute in attrs.fields(cls):
        if attribute.name in _TABLES_OF_THEIR_OWN:
            continue
        annotation = texts.get(f":{attribute.name}", "")
        yield attribute.name, annotation, _default(attribute), texts.get(attribute.name, "")


def _texts(cls: type[Any]) -> dict[str, str]:
    """Reads the strings that stand below the attributes in the source, and the annotations as they are written."""
    tree = ast.parse(inspect.getsource(cls)).body[0]
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    name = ""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            found[f":{name}"] = ast.unparse(node.annotation)
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[name] = " ".join(str(node.value.value).split())
            name = ""
        else:
            name = ""
    return found


def _default(attribute: "attrs.Attribute[Any]") -> str | None:
    default: Any = attribute.default
    if default is attrs.NOTHING:
        return None
    return _toml(default.factory() if hasattr(default, "factory") else default)


def _toml(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, Listen):
        return f'"{value.transport}:{value.at}"'
    return f'"{value}"'


_EXAMPLE_KIND = "oscar"
_TYPES = {
    "str": "string",
    "Path": "path",
    "Path | None": "path",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "HostPort": "host:port",
    "HostPort | None": "host:port",
    "PeerAddress": "host or host:port",
    "tuple[HostPort, ...]": "list of host:port",
    "tuple[Listen, ...]": "list of transport:host:port",
    "tuple[str, ...]": "list of strings",
    "Mapping[str, str]": "table of strings",
}


def page() -> str:
    """Returns the reference page."""
    parts = [_HEAD]
    for title, cls in _SECTIONS:
        parts.append(_table(f"[[{title}]]" if title in _LISTS else f"[{title}]", cls))
    for name, kind in KINDS.items():
        parts.append(_table(f'[networks.NAME] with kind = "{name}"', kind.options))
    return "\n".join(parts)


def _table(title: str, cls: type[Any]) -> str:
    text = " ".join((cls.__doc__ or "").split()).partition(": ")[2]
    rows = [f"\n## {title}\n"]
    if text:
        rows.append(f"{text[0].upper()}{text[1:]}\n")
    rows += ["| key | value | default | |", "|---|---|---|---|"]
    for name, annotation, default, told in documented(cls):
        shown = "**required**" if default is None else f"`{default}`" if default else "-"
        rows.append(
            f"| `{name}` | {_TYPES.get(annotation, annotation)} | {shown} | {told.replace('|', chr(92) + '|')} |"
        )
    return "\n".join(rows)


def example() -> str:
    """Returns an example configuration that names every key: what is not required is commented out."""
    lines = ["# simplebridge: every key with its default. `simplebridge check` tells what is wrong with a file."]
    for title, cls in _SECTIONS:
        if title in _LISTS:
            lines += ["", f"#   [[{title}]]"]
            lines += _commented(cls)
            continue
        lines += ["", f"[{title.replace('NAME', 'aim')}]"]
        lines += _example_keys(cls)
    lines += _example_keys(KINDS[_EXAMPLE_KIND].options)
    for name, kind in KINDS.items():
        if name != _EXAMPLE_KIND:
            lines += ["", f"#   [networks.{name}]", f'#   kind = "{name}"', f'#   domain = "{name}.corp.example"']
            lines += _commented(kind.options)
    return "\n".join(lines) + "\n"


def _commented(cls: type[Any]) -> list[str]:
    """The keys of a table that need not be there."""
    bare = [line.removeprefix("# ") for line in _example_keys(cls)]
    return [f"#   {line}" for line in bare if line.partition(" = ")[0].isidentifier()]


def _example_keys(cls: type[Any]) -> Iterator[str]:
    for name, _, default, told in documented(cls):
        if told:
            yield f"# {told}"
        given = _EXAMPLES.get(f"{cls.__name__}.{name}") or _EXAMPLES.get(name)
        if default is None:
            yield f"{name} = {given}"
        else:
            yield f"# {name} = {default or chr(34) * 2}"


def main() -> None:
    """Writes the page and the example where the command line says."""
    reference, sample = sys.argv[1:]
    Path(reference).write_text(page(), "utf-8")
    Path(sample).write_text(example(), "utf-8")


if __name__ == "__main__":
    main()
