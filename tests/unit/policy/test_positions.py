"""The TOML locator: every key and element at the line and column where it was written."""

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.positions import Path, Place, locate


def test_tables_arrays_and_inline_tables() -> None:
    text = """\
# a comment with [brackets] = "and quotes
[policy]
version = "1" # "not a key" = 3
 "dig\\u0065st" = 'x'

[[rule]]
id = "a]"
from = [
  "group:x", # ] no end
  'network:y',
]
hours = { days = "mon-fri", from = "08:00" }
[[rule]]
a.b . c = [[1, 2], [{ d = 3 }]]
[rule.deep]
long = \"\"\"
[not.a.table]
key = 1 \\\"\"\" still \"\"\"\"
raw = '''
[no]
'''
when = 1979-05-27 07:32:00
[[rule]]
"""
    tomllib.loads(text)
    places = locate(text)
    assert places["policy",] == (2, 1)
    assert places["policy", "version"] == (3, 1)
    assert places["policy", "digest"] == (4, 2)
    assert places["rule",] == (6, 1)
    assert places["rule", 0] == (6, 1)
    assert places["rule", 0, "from", 0] == (9, 3)
    assert places["rule", 0, "from", 1] == (10, 3)
    assert places["rule", 0, "hours", "from"] == (12, 29)
    assert places["rule", 1, "a", "b", "c", 1, 0, "d"] == (14, 23)
    assert places["rule", 1, "deep", "long"] == (16, 1)
    assert places["rule", 1, "deep", "raw"] == (19, 1)
    assert places["rule", 1, "deep", "when"] == (22, 1)
    assert places["rule", 2] == (23, 1)


class _Writer:
    """Writes a document and notes where it put what."""

    def __init__(self, draw: Any) -> None:
        self.text = ""
        self.places: dict[Path, Place] = {}
        self._draw = draw

    def put(self, text: str) -> None:
        self.text += text

    def note(self, path: Path) -> None:
        before = self.text.rpartition("\n")
        self.places.setdefault(path, (self.text.count("\n") + 1, len(before[2]) + 1))

    def key(self, key: str) -> str:
        bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
        if bare and self._draw(st.booleans()):
            return key
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in key) + '"'

    def string(self, value: str) -> str:
        style = self._draw(st.sampled_from(["basic", "literal", "long", "long literal"]))
        escaped = "".join(f"\\U{ord(letter):08x}" if letter in '"\\' else letter for letter in value)
        if style == "literal" and "'" not in value:
            return f"'{value}'"
        if style == "long":
            return f'"""\n{escaped}"""'
        if style == "long literal" and "'" not in value:
            return f"'''{value}\n'''"
        return f'"{escaped}"'

    def filler(self) -> str:
        return str(self._draw(st.sampled_from(["", " ", "\n", " # ] } = [\n  ", "\n\t"])))

    def value(self, path: Path, value: Any) -> None:
        if isinstance(value, list):
            self.put("[")
            for index, element in enumerate(value):
                self.put(self.filler())
                self.note((*path, index))
                self.value((*path, index), element)
                self.put(self.filler() + ("," if index + 1 < len(value) else ""))
            self.put("]")
        elif isinstance(value, dict):
            self.put("{")
            for index, (key, element) in enumerate(value.items()):
                self.put(", " if index else " ")
                self.note((*path, key))
                self.put(self.key(key) + " = ")
                self.value((*path, key), element)
            self.put(" }")
        elif isinstance(value, str):
            self.put(self.string(value))
        else:
            self.put({True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value))

    def table(self, path: Path, header: str, values: dict[str, Any]) -> None:
        self.note(path)
        self.put(header + "\n")
        for key, value in values.items():
            self.put(self.filler())
            self.note((*path, key))
            self.put(self.key(key) + " = ")
            self.value((*path, key), value)
            self.put(str(self._draw(st.sampled_from(["\n", "  # x = [\n"]))))


_letters = st.text("abc-_é\"'\\[]{}#=.,", min_size=1, max_size=6)
_scalars = st.one_of(st.integers(), st.booleans(), _letters, st.just(""))
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_letters, inner, max_size=3), max_leaves=8
)


@given(st.data())
def test_every_place_is_where_it_was_written(data: st.DataObject) -> None:
    writer = _Writer(data.draw)
    tables = data.draw(
        st.lists(st.tuples(_letters, st.booleans(), st.dictionaries(_letters, _values, max_size=4)), max_size=4)
    )
    kinds: dict[str, bool] = {}
    counts: dict[str, int] = {}
    for name, is_array, values in tables:
        if kinds.setdefault(name, is_array) != is_array or (not is_array and name in counts):
            continue
        counts[name] = counts.get(name, -1) + 1
        header = writer.key(name)
        if is_array:
            writer.note((name,))
            writer.table((name, counts[name]), f"[[{header}]]", values)
        else:
            writer.table((name,), f"[{header}]", values)
    tomllib.loads(writer.text)
    assert locate(writer.text) == writer.places
