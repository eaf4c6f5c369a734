"""The CSV file of names, as a file."""

import pytest

from bridge.identity import names_csv
from bridge.identity.errors import ImportRefused
from bridge.identity.names_csv import MAX_LINE_BYTES, Row, read_rows, write_names
from tests.unit.identity.given import BOUND

HEAD = b"address,network,name\n"


def whole(data: bytes) -> str:
    with pytest.raises(ImportRefused) as caught:
        read_rows(data, "f.csv")
    return str(caught.value)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_marks(end: bytes, mark: bytes) -> None:
    rows, errors = read_rows(
        mark + end.join([b"Address, Network ,NAME", b"", b"a@b,aim,\xc3\xa9", b" ", b'"a@b","icq","1"'])
    )
    assert rows == [Row(3, "a@b", "aim", "é"), Row(5, "a@b", "icq", "1")]
    assert not errors


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no header"),
        (b"\n\n", "no header"),
        (b"alice@corp.example,aim,alice\n", "the header must be address,network,name"),
        (b"address;network;name\n", "not 'address;network;name'"),
        (b"address,network,name,password\n", "the header must be"),
        ("address,network,name".encode("utf-16"), "UTF-16"),
        (b"\xff\xff\n", "not UTF-8 at byte 1"),
        (b'"address', "not CSV"),
    ],
)
def test_files_that_are_none(data: bytes, why: str) -> None:
    assert why in whole(data)
    assert whole(data).startswith("f.csv: nothing imported, 1 bad line: line ")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"a,b", "2 fields"),
        (b"a,b,c,d", "4 fields"),
        (b",aim,x", "the address is empty"),
        (b"a@b,  ,x", "the network is empty"),
        (b"a@b,aim,", "the name is empty"),
        (b"a@b," + b"n" * 65 + b",x", "the network is longer than 64"),
        (b"a@b,aim,\xe9", "not UTF-8 at byte 9"),
        (b'a@b,aim,"x"y', "not CSV"),
        (b'a@b,aim,"x', "not CSV"),
        (b"a@b,aim," + b"x" * MAX_LINE_BYTES, "longer than 4096 bytes"),
    ],
)
def test_a_bad_line_spoils_itself_alone(line: bytes, why: str) -> None:
    rows, errors = read_rows(HEAD + line + b"\na@b,aim,good\n")
    assert rows == [Row(3, "a@b", "aim", "good")]
    (error,) = errors
    assert error.line == 2
    assert why in error.reason


def test_a_file_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_csv, "MAX_ROWS", 3)
    rows, _ = read_rows(HEAD + b"a@b,aim,x\n" * 3)
    assert len(rows) == 3
    assert "line 5: more than 3 rows" in whole(HEAD + b"a@b,aim,x\nbad\n" * 2)
    monkeypatch.setattr(names_csv, "MAX_BYTES", 30)
    assert "larger than 30 bytes" in whole(HEAD + b"a@b,aim,xy")


def test_what_is_written() -> None:
    assert write_names(reversed(BOUND.bindings())) == (
        b"address,network,name\r\nalice@corp.example,aim,Alice At Work\r\nbob@corp.example,aim,bob99\r\n"
    )
