"""The CSV file of names: a header ``address,network,name``, then a line for each name of a person.

RFC 4180 with these freedoms: a byte order mark, any line ends, empty lines, blanks around a field. A field never holds
a line end, so each line stands alone: an unclosed quote spoils its own line only.
"""

import csv
import io
from collections.abc import Iterable
from typing import NamedTuple

from bridge.identity.bindings import MAX_NAME, Binding
from bridge.identity.errors import ImportRefused, LineError

HEADER = ("address", "network", "name")
MAX_BYTES = 32 * 1024 * 1024
MAX_ROWS = 200_000
MAX_LINE_BYTES = 4096
_MAX_FIELD = {"address": 260, "network": 64, "name": MAX_NAME}
_BOM = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """One line of the file, not yet judged. ``line`` counts from 1."""

    line: int
    address: str
    network: str
    name: str


def read_rows(data: bytes, source: str = "") -> tuple[list[Row], list[LineError]]:
    """Splits a file into rows, and names each line that cannot be one.

    Raises:
        ImportRefused: the file as a whole cannot be one of names: too large, not UTF-8 text, or with another header.
    """
    _check_whole(data, source)
    rows: list[Row] = []
    errors: list[LineError] = []
    header_seen = False
    for number, raw in enumerate(data.removeprefix(_BOM).splitlines(), start=1):
        if not raw.strip():
            continue
        fields = _fields(raw, number)
        if not header_seen:
            _check_header(fields, number, source)
            header_seen = True
        elif isinstance(fields, LineError):
            errors.append(fields)
        elif len(rows) + len(errors) >= MAX_ROWS:
            raise ImportRefused((LineError(line=number, reason=f"more than {MAX_ROWS} rows"),), source)
        else:
            row = _row(fields, number)
            (errors if isinstance(row, LineError) else rows).append(row)  # type: ignore[arg-type]
    if not header_seen:
        raise ImportRefused((LineError(line=1, reason=f"the file is empty: no header {','.join(HEADER)}"),), source)
    return rows, errors


def _check_whole(data: bytes, source: str) -> None:
    if len(data) > MAX_BYTES:
        raise ImportRefused((LineError(line=1, reason=f"the file is larger than {MAX_BYTES} bytes"),), source)
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise ImportRefused((LineError(line=1, reason="the file is in UTF-16; save it as UTF-8"),), source)


def _fields(raw: bytes, number: int) -> list[str] | LineError:
    if len(raw) > MAX_LINE_BYTES:
        return LineError(line=number, reason=f"longer than {MAX_LINE_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return LineError(line=number, reason=f"not UTF-8 at byte {error.start + 1} of the line")
    try:
        return [value.strip() for value in next(csv.reader([text], strict=True))]
    except (csv.Error, StopIteration) as error:
        return LineError(line=number, reason=f"not CSV: {error}")


def _check_header(fields: list[str] | LineError, number: int, source: str) -> None:
    if isinstance(fields, LineError):
        raise ImportRefused((fields,), source)
    if tuple(value.lower() for value in fields) != HEADER:
        reason = f"the header must be {','.join(HEADER)}, not {','.join(fields)[:80]!r}"
        raise ImportRefused((LineError(line=number, reason=reason),), source)


def _row(fields: list[str], number: int) -> Row | LineError:
    if len(fields) != len(HEADER):
        return LineError(line=number, reason=f"{len(fields)} fields instead of {len(HEADER)}")
    for title, value in zip(HEADER, fields, strict=True):
        if not value:
            return LineError(line=number, reason=f"the {title} is empty")
        if len(value) > _MAX_FIELD[title]:
            return LineError(line=number, reason=f"the {title} is longer than {_MAX_FIELD[title]} characters")
    return Row(number, *fields)


def write_names(bindings: Iterable[Binding]) -> bytes:
    """Returns the file that, imported where there are no names, binds these: UTF-8, CRLF, primary names first."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    for binding in sorted(bindings, key=lambda b: (b.person, b.network, not b.primary, b.name)):
        writer.writerow((binding.person, binding.network, binding.shown))
    return out.getvalue().encode()
