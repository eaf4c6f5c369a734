"""Any bytes as a CSV file of names: rows and named lines, or ImportRefused."""

from bridge.identity.errors import ImportRefused
from bridge.identity.names_csv import read_rows

SEEDS: list[bytes] = [
    b"",
    b"address,network,name\r\nalice@corp.example,aim,The Boogy Man\r\n",
    b'\xef\xbb\xbfaddress,network,name\n"a@b","icq","1""2"\n\n',
    b'address,network,name\ra@b,aim,"open\ra@b,aim',
    "address,network,name\na@b,aim,x\n".encode("utf-16"),
]


def one(data: bytes) -> None:
    """Reads a file."""
    try:
        rows, errors = read_rows(data)
    except ImportRefused:
        return
    lines = [row.line for row in rows] + [error.line for error in errors]
    assert len(lines) == len(set(lines))
