"""The state of an account's link, as every transport tells it."""

from __future__ import annotations

from attrs import frozen

from bridge.model.capabilities import LinkState as Link

__all__ = ["Link", "LinkState"]


@frozen(kw_only=True)
class LinkState:
    """The connection of an account has changed its state.

    Attributes:
        reason: why, for people.
        code: the network's number for it, where it gave one.
        retry_in: seconds until the next attempt of itself; None when there will be none.
        max_message_bytes: once UP, the longest text in bytes of the network's encoding, where the server says.
    """

    account: str
    state: Link
    reason: str = ""
    code: int | None = None
    retry_in: float | None = None
    max_message_bytes: int | None = None
