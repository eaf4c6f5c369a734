"""Yahoo! IDs."""

from __future__ import annotations


def normal(name: str) -> str:
    """How names are compared: without blanks, in lower case."""
    return "".join(name.split()).lower()
