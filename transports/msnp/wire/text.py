"""The escapes of arguments: percent-encoded UTF-8, so that an argument holds neither a blank nor a line end."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

MAX_FRIENDLY = 387
"""The longest friendly name, in bytes as encoded, that servers take (error 209 beyond)."""
_KEPT = "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


def escape(text: str) -> str:
    """An argument that holds any text: blanks, ``%``, controls and what is not ASCII are percent-encoded UTF-8."""
    return quote(text.encode("utf-8", "replace"), safe=_KEPT)


def unescape(argument: str) -> str:
    """The text of an argument. Servers send names with and without escapes; bytes that are not UTF-8 become U+FFFD."""
    if "%" not in argument:
        return argument
    return unquote_to_bytes(argument.encode("utf-8", "replace")).decode("utf-8", "replace")


def friendly(name: str) -> str:
    """A friendly name as an argument, cut between characters where it would be too long."""
    while len(escaped := escape(name)) > MAX_FRIENDLY:
        name = name[: max(1, len(name) * MAX_FRIENDLY // len(escaped))][:-1] or name[: len(name) // 2]
    return escaped


def normal(name: str) -> str:
    """The form in which two passports are compared: lower case, without blanks at the ends. Idempotent."""
    lowered = name.strip().lower()
    while (again := lowered.strip().lower()) != lowered:
        lowered = again
    return lowered
