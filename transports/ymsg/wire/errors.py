"""The one exception of the codec."""

from __future__ import annotations


class YmsgSyntaxError(ValueError):
    """Bytes, or values to be written, that are not what the protocol says.

    Attributes:
        what: what was being read or written, for instance ``"service 0x0006"``.
        where: the offset in the decoded unit at which it failed, in bytes.
    """

    def __init__(self, what: str, where: int = 0) -> None:
        super().__init__(f"{what} (at byte {where})")
        self.what = what
        self.where = where
