"""Messages that wait for a person: application/simple-message-summary (RFC 3842), read and written."""

from __future__ import annotations

import re
from typing import Final

import attrs

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.grammar import check_text

CONTENT_TYPE: Final = "application/simple-message-summary"
MAX_SIZE: Final = 16 * 1024
PAGER: Final = "pager-message"
"""RFC 3458 section 6.2: short texts, which is what MESSAGE carries."""
_COUNTS: Final = re.compile(r"([0-9]{1,10})\s*/\s*([0-9]{1,10})(?:\s*\(\s*([0-9]{1,10})\s*/\s*([0-9]{1,10})\s*\))?")
_CLASS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+\-]{0,63}")


@attrs.frozen(kw_only=True)
class MessageSummary:
    """Which messages wait.

    Attributes:
        account: the URI of the box; empty where it is not said.
        counts: by class (RFC 3458, in lower case): how many new and how many old.
        waiting: whether there are new ones.
    """

    waiting: bool
    account: str = ""
    counts: tuple[tuple[str, int, int], ...] = ()


def build_summary(summary: MessageSummary) -> bytes:
    """Write a summary.

    Raises:
        SipBuildError: a line end in the account, a number below 0, a class that is no token.
    """
    lines = [f"Messages-Waiting: {'yes' if summary.waiting else 'no'}"]
    if summary.account:
        lines.append(f"Message-Account: {check_text(summary.account, 'Message-Account')}")
    for name, new, old in summary.counts:
        if not _CLASS.fullmatch(name) or new < 0 or old < 0:
            raise SipBuildError(f"message summary: {name[:60]!r}: {new}/{old}")
        lines.append(f"{'-'.join(word.capitalize() for word in name.split('-'))}: {new}/{old}")
    return ("\r\n".join(lines) + "\r\n").encode()


def parse_summary(data: bytes, limit: int = MAX_SIZE) -> MessageSummary:
    """Read a summary; what comes after the first blank line, headers of single messages, is left out.

    Raises:
        SipSyntaxError: too large (413); not UTF-8, or without a Messages-Waiting that says yes or no (400).
    """
    if len(data) > limit:
        raise SipSyntaxError(f"message summary is larger than {limit}", 413)
    try:
        lines = data.decode().replace("\r\n", "\n").partition("\n\n")[0].split("\n")
    except UnicodeDecodeError as error:
        raise SipSyntaxError("message summary is not UTF-8") from error
    waiting: bool | None = None
    account = ""
    counts: dict[str, tuple[int, int]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if name == "messages-waiting":
            waiting = {"yes": True, "no": False}.get(value.lower())
        elif name == "message-account":
            account = value
        elif (found := _COUNTS.match(value)) is not None and _CLASS.fullmatch(name):
            counts[name] = (int(found[1]), int(found[2]))
    if waiting is None:
        raise SipSyntaxError("message summary: Messages-Waiting says neither yes nor no")
    return MessageSummary(
        waiting=waiting, account=account, counts=tuple((name, new, old) for name, (new, old) in counts.items())
    )
