"""Channels: which are wanted, who is in them, what happens there. None is joined that nobody asked for."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from attrs import define, field

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from transports.common.machine.actions import SendDone
from transports.common.machine.results import failed, link_down, unknown
from transports.irc.wire.message import Message
from transports.irc.wire.native import (
    ChannelForced,
    ChannelJoin,
    ChannelMember,
    ChannelMembers,
    ChannelTopic,
    Inbound,
    MemberChange,
)
from transports.irc.wire.numerics import Refusal

FORCED_REASON = "this program does not enter channels by itself"


@define(eq=False)
class Channel:
    """A channel that we are in, or want to be in. `members` maps canonical names to ranks."""

    name: str
    key: str = ""
    joined: bool = False
    members: dict[str, str] = field(factory=dict)
    waiter: Hashable | None = None
    asked_at: float = 0.0
    names: list[tuple[str, str]] = field(factory=list)


class Channels:
    """The channels of one account.

    Args:
        account: our name.
        limit: the most channels; max_members: the most known members of one.
        timeout: how long the answer to a JOIN may take, seconds.
        write: takes a line that goes in its turn.
        emit: takes events.
    """

    __slots__ = ("_account", "_channels", "_emit", "_limit", "_max_members", "_timeout", "_write")

    def __init__(
        self,
        account: str,
        *,
        limit: int,
        max_members: int,
        timeout: float,
        write: Callable[[Message, float], bool],
        emit: Callable[[Inbound | SendDone], None],
    ) -> None:
        self._account = account
        self._limit = limit
        self._max_members = max_members
        self._timeout = timeout
        self._write = write
        self._emit = emit
        self._channels: dict[str, Channel] = {}

    def joined(self, name: str) -> bool:
        """Whether we are in a channel (canonical)."""
        channel = self._channels.get(name)
        return channel is not None and channel.joined

    def sees(self, nick: str) -> bool:
        """Whether we share a channel with somebody."""
        return any(nick in channel.members for channel in self._channels.values())

    # -- what we want

    def join(self, name: str, value: ChannelJoin, key: Hashable, now: float) -> None:
        """Enters a channel (canonical)."""
        known = self._channels.get(name)
        if known is None and len(self._channels) >= self._limit:
            text = "This account is in too many channels."
            self._done(key, failed("too many channels", retryable=False, user_text=text))
            return
        if known is not None and known.joined:
            self._done(key, SendResult(stage=Stage.RELAYED))
            return
        if known is not None and known.waiter is not None:
            self._done(known.waiter, unknown("asked again", retryable=False))
        self._channels[name] = Channel(name=name, key=value.key, waiter=key, asked_at=now)
        self._send_join(self._channels[name], now)

    def _send_join(self, channel: Channel, now: float) -> None:
        params = (channel.name, channel.key) if channel.key else (channel.name,)
        self._write(Message(command="JOIN", params=params), now)

    def part(self, name: str, reason: str, key: Hashable, now: float) -> None:
        """Leaves a channel (canonical)."""
        channel = self._channels.pop(name, None)
        if channel is not None:
            self._end_waiter(channel, failed("left again", retryable=False, user_text="The channel was left."))
            self._write(Message(command="PART", params=(name, reason) if reason else (name,)), now)
        self._done(key, SendResult(stage=Stage.RELAYED))

    def begin(self, now: float) -> None:
        """A session is up: enters again what was wanted."""
        for channel in self._channels.values():
            self._send_join(channel, now)

    # -- what the server says

    def entered(self, name: str, now: float) -> None:
        """JOIN of ourselves."""
        channel = self._channels.get(name)
        if channel is None:
            self._write(Message(command="PART", params=(name, FORCED_REASON)), now)
            self._emit(ChannelForced(account=self._account, channel=name))
            return
        channel.joined = True
        channel.members.clear()
        channel.names.clear()
        self._end_waiter(channel, SendResult(stage=Stage.RELAYED))

    def refused(self, name: str, code: str, refusal: Refusal, reason: str) -> bool:
        """A numeric says no to a JOIN; whether it was one of ours."""
        channel = self._channels.get(name)
        if channel is None or channel.joined:
            return False
        del self._channels[name]
        why = f"{code} {refusal.name}: {reason}"
        self._end_waiter(channel, failed(why, retryable=refusal.retryable, user_text=refusal.user_text))
        return True

    def left(self, name: str) -> None:
        """We are not in a channel any more, whoever wanted that."""
        channel = self._channels.pop(name, None)
        if channel is not None:
            self._end_waiter(
                channel, failed("put out again", retryable=False, user_text="The channel let us go again.")
            )

    def next_deadline(self) -> float | None:
        """When the oldest wish to enter has had no answer for too long."""
        times = [channel.asked_at for channel in self._channels.values() if channel.waiter is not None]
        return min(times) + self._timeout if times else None

    def expire(self, now: float) -> None:
        """Gives up waiting for the server's word on a JOIN."""
        for channel in self._channels.values():
            if channel.waiter is not None and channel.asked_at + self._timeout <= now:
                self._end_waiter(channel, unknown("no word from the server", retryable=False))

    def member(self, event: ChannelMember) -> None:
        """Somebody came, went, or has another name, in one channel."""
        channel = self._channels.get(event.channel)
        if channel is None:
            return
        if event.change is MemberChange.JOINED:
            if len(channel.members) < self._max_members:
                channel.members[event.nick] = ""
        else:
            ranks = channel.members.pop(event.nick, "")
            if event.change is MemberChange.RENAMED:
                channel.members[event.renamed_to] = ranks
        self._emit(event)

    def of(self, nick: str) -> list[str]:
        """The channels that somebody is in, as far as is known."""
        return [name for name, channel in self._channels.items() if nick in channel.members]

    def names(self, name: str, pairs: list[tuple[str, str]]) -> None:
        """353: some of the members."""
        channel = self._channels.get(name)
        if channel is not None and channel.joined:
            channel.names += pairs[: max(0, self._max_members - len(channel.names))]

    def end_of_names(self, name: str) -> None:
        """366: all members have been told."""
        channel = self._channels.get(name)
        if channel is not None and channel.joined and channel.names:
            channel.members = dict(channel.names)
            self._emit(ChannelMembers(account=self._account, channel=name, members=tuple(channel.members.items())))
            channel.names = []

    def topic(self, name: str, topic: str, by: str = "") -> None:
        """332, TOPIC."""
        if self.joined(name):
            self._emit(ChannelTopic(account=self._account, channel=name, topic=topic, by=by))

    def lost(self) -> None:
        """The connection is gone: what is wanted is entered again by and by."""
        for channel in self._channels.values():
            channel.joined = False
            channel.members.clear()
            channel.names.clear()
            self._end_waiter(channel, link_down("The connection to the network was lost."))

    def _end_waiter(self, channel: Channel, result: SendResult) -> None:
        waiter, channel.waiter = channel.waiter, None
        if waiter is not None:
            self._done(waiter, result)

    def _done(self, key: Hashable, result: SendResult) -> None:
        self._emit(SendDone(key=key, result=result))
