"""Text on the wire: UTF-8 where key 97 says so, else the older encoding, Windows-1252."""

from __future__ import annotations

UTF8 = b"1"
"""The value of key 97 that says UTF-8."""
_LEGACY = "cp1252"


def decode_text(raw: bytes, mark: bytes | None) -> tuple[str, bool]:
    """Reads the text of a message.

    Args:
        raw: the bytes.
        mark: the value of key 97, None where there is none.

    Returns:
        The text, and whether part of it could not be read as what it was said to be. What is said to be UTF-8 and is
        none is read in the older encoding, as clients that set the mark wrongly meant it.
    """
    if mark is not None and mark.strip() == UTF8:
        try:
            return raw.decode(), False
        except UnicodeDecodeError:
            return raw.decode(_LEGACY, "replace"), True
    text = raw.decode(_LEGACY, "replace")
    return text, "\ufffd" in text


def decode_label(raw: bytes) -> str:
    """Reads a name, a group or a status text, which come without a mark: UTF-8 where it is, else the older encoding.

    Servers pass these on as they got them, and newer clients write UTF-8 wherever they write.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode(_LEGACY, "replace")
