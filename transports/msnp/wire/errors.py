"""The one exception of the codec."""

from __future__ import annotations


class MsnpSyntaxError(ValueError):
    """Bytes that are not what the protocol says.

    Attributes:
        what: what was being read, for instance ``"LST"``, and what is wrong with it.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
