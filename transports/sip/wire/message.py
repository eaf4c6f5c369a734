"""SIP messages: reading, building, answering, checking. This module is the door; the rooms lie behind it."""

from transports.sip.wire.answer import add_received, forward_bytes, reason_phrase, respond, respond_bytes, retry_after
from transports.sip.wire.base import Message, Request, Response
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.parser import DEFAULT, METHODS, Limits, parse_message
from transports.sip.wire.validate import validate_request, validate_response

__all__ = [
    "DEFAULT",
    "METHODS",
    "Limits",
    "Message",
    "Request",
    "Response",
    "SipBuildError",
    "SipSyntaxError",
    "add_received",
    "forward_bytes",
    "parse_message",
    "reason_phrase",
    "respond",
    "respond_bytes",
    "retry_after",
    "validate_request",
    "validate_response",
]
