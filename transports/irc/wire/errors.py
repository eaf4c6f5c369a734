"""What is wrong with a line."""

from __future__ import annotations


class IrcSyntaxError(ValueError):
    """A line that is none, or a value that cannot be written as one. The text names what and where."""
