"""From lines of other users to native values. Pure: what is to be answered is given back, not sent."""

from __future__ import annotations

import calendar
import re
from typing import Final

from attrs import frozen

from transports.irc.wire.ctcp import Ctcp
from transports.irc.wire.isupport import ISupport
from transports.irc.wire.message import Message, Source
from transports.irc.wire.native import (
    ChannelMessage,
    Inbound,
    Kind,
    MessageReceived,
    RequestDeclined,
    ServerNotice,
    Typing,
)

MAX_QUOTED: Final = 400
_TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z")
_TYPING: Final = {"active": Typing.ACTIVE, "paused": Typing.PAUSED, "done": Typing.DONE}


@frozen(kw_only=True)
class Reader:
    """Reads what users write.

    Attributes:
        account: our name, as it stands in every event.
        isupport: what the server says of itself.
        version: the answer to CTCP VERSION.
    """

    account: str
    isupport: ISupport
    version: str

    def fold(self, name: str) -> str:
        """The canonical form of a name."""
        return self.isupport.casemapping.fold(name)

    def read(self, message: Message, source: Source) -> tuple[Inbound | None, str]:
        """PRIVMSG or NOTICE.

        Returns:
            The event, if there is one, and the text of a NOTICE that the sender's CTCP is to be answered with.
        """
        if not source.is_user:
            return ServerNotice(account=self.account, source=source.name, text=message.last), ""
        notice = message.command == "NOTICE"
        ctcp = Ctcp.parse(message.last)
        if ctcp is None:
            return self._text(message, source, message.last, Kind.NOTICE if notice else Kind.MESSAGE), ""
        if ctcp.command == "ACTION":
            return self._text(message, source, ctcp.text, Kind.ACTION), ""
        if notice:
            return None, ""  # an answer to a question that we never ask
        return self._request(ctcp, source)

    def _request(self, ctcp: Ctcp, source: Source) -> tuple[Inbound | None, str]:
        if ctcp.command == "VERSION":
            return None, Ctcp("VERSION", self.version).encode()
        if ctcp.command == "PING":
            return None, Ctcp("PING", ctcp.text[:64]).encode()
        if ctcp.command == "CLIENTINFO":
            return None, Ctcp("CLIENTINFO", "ACTION CLIENTINFO PING VERSION").encode()
        declined = RequestDeclined(
            account=self.account, sender=self.fold(source.name), command=ctcp.command[:32], text=ctcp.text[:MAX_QUOTED]
        )
        return declined, ""

    def _text(self, message: Message, source: Source, text: str, kind: Kind) -> Inbound:
        target = message.param(0)
        bare = target.lstrip(self.isupport.statusmsg)
        services_account = message.tags.get("account") or None
        if bare[:1] and bare[:1] in self.isupport.chantypes:
            return ChannelMessage(
                account=self.account,
                channel=self.fold(bare),
                sender=self.fold(source.name),
                shown=source.name,
                text=text,
                kind=kind,
                part_of=target[: len(target) - len(bare)],
                message_id=message.tags.get("msgid", ""),
                timestamp=timestamp(message),
                services_account=services_account,
                userhost=source.userhost,
                legacy=message.legacy,
            )
        return MessageReceived(
            account=self.account,
            sender=self.fold(source.name),
            shown=source.name,
            text=text,
            kind=kind,
            message_id=message.tags.get("msgid", ""),
            timestamp=timestamp(message),
            services_account=services_account,
            userhost=source.userhost,
            legacy=message.legacy,
        )


def timestamp(message: Message) -> float | None:
    """The time of a line (IRCv3 server-time), seconds since 1970; None where there is none that can be read."""
    found = _TIME.fullmatch(message.tags.get("time", ""))
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    if not (1970 <= year <= 2500 and 1 <= month <= 12 and 1 <= day <= 31 and hour <= 23 and minute <= 59):
        return None
    return calendar.timegm((year, month, day, hour, minute, min(second, 59))) + float(f"0.{found[7] or 0}")


def typing_state(message: Message) -> Typing | None:
    """The state that a TAGMSG tells; None where it tells none."""
    return _TYPING.get(message.tags.get("+typing", ""))
