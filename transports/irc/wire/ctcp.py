"""CTCP: a request or an answer within a text, between bytes 0x01 (as ircdocs.horse and all clients have it today)."""

from __future__ import annotations

from typing import Final

from attrs import frozen

DELIMITER: Final = "\x01"


@frozen
class Ctcp:
    """A command in upper case, with the rest of its text."""

    command: str
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Ctcp | None:
        """Reads a text that is a CTCP as a whole; the closing 0x01 may be missing. None where it is plain text."""
        if not text.startswith(DELIMITER):
            return None
        inner = text[1:].removesuffix(DELIMITER)
        command, _, rest = inner.partition(" ")
        return cls(command.upper(), rest.replace(DELIMITER, ""))

    def encode(self) -> str:
        """Writes it as a text; what would end it early is left out of its own text."""
        inside = f" {self.text.replace(DELIMITER, '')}" if self.text else ""
        return f"{DELIMITER}{self.command}{inside}{DELIMITER}"
