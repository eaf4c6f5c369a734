"""The one way in which what a peer sent is refused."""

from __future__ import annotations


class XmppSyntaxError(ValueError):
    """What came is no stanza that can be read; the text says why."""
