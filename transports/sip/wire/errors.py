"""The two ways in which the SIP codec says no."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transports.sip.wire.message import Request


class SipSyntaxError(ValueError):
    """What was read is not SIP, or more of it than the limits allow.

    Attributes:
        reason: what is wrong and where; fit for a Reason-Phrase (no line ends).
        status: the response code to answer a request with (400, 413, 414, 416, 501, 505, 513).
        partial: what could be read of the request, enough for `respond` to answer it statelessly; None where no answer
            is possible (a response, no Via, or an ACK, which is never answered). Its typed headers may raise, its Via
            included: then the answer goes to where the request came from.
    """

    def __init__(self, reason: str, status: int = 400, partial: Request | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.partial = partial


class SipBuildError(ValueError):
    """What was to be written cannot be: a line end, a NUL or another character that would change its meaning."""
