"""Who there is, who is signed on, and who may see whom."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define, field

from transports.msnp.wire.codes import Lists
from transports.msnp.wire.text import normal

if TYPE_CHECKING:
    from tests.kit.msnp_server.notification import Notification
    from tests.kit.msnp_server.switchboard import Switchboard

FAULTS = ("none", "mute", "vanish", "nak")
"""Of switchboards: acknowledges nothing; is gone when a message comes; refuses each message."""


@define(eq=False)
class User:
    """An account and its lists."""

    passport: str
    password: str
    name: str
    guid: str = field(factory=lambda: "-".join(secrets.token_hex(n) for n in (4, 2, 2, 2, 6)))
    lists: dict[str, Lists] = field(factory=dict)
    privacy: str = "AL"
    status: str = "FLN"
    message: str = ""
    capabilities: int = 0
    session: Notification | None = None

    def on(self, other: User, which: Lists) -> bool:
        """Whether somebody is on a list of theirs."""
        return bool(self.lists.get(other.passport, Lists.NONE) & which)

    def admits(self, other: User) -> bool:
        """Whether somebody may see them and write to them."""
        if self.on(other, Lists.BL):
            return False
        return self.privacy == "AL" or self.on(other, Lists.AL)

    def shown_to(self, other: User) -> bool:
        """Whether they are there, as somebody sees it."""
        return self.session is not None and self.status not in {"FLN", "HDN"} and self.admits(other)


class Network:
    """All of it.

    Args:
        tell: takes what happens: an event's name, and whom it is about.
    """

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self.tell = tell
        self.users: dict[str, User] = {}
        self.tickets: dict[str, str] = {}
        self.keys: dict[str, tuple[str, str]] = {}
        self.boards: dict[str, list[Switchboard]] = {}
        self.fault = "none"
        self.address = ""
        self.counts = {"challenges": 0, "messages": 0}

    def add(self, passport: str, password: str) -> None:
        """One more account."""
        name = normal(passport)
        self.users[name] = User(name, password, name.partition("@")[0])

    def user(self, passport: str) -> User | None:
        """An account by its name."""
        return self.users.get(normal(passport))

    def ticket(self, passport: str, password: str) -> str | None:
        """A ticket of Passport; None for a wrong password."""
        user = self.user(passport)
        if user is None or user.password != password:
            return None
        made = f"t={secrets.token_hex(10)}&p="
        self.tickets[made] = user.passport
        return made

    def key(self, passport: str, session: str) -> str:
        """A key to a switchboard, good once."""
        made = secrets.token_hex(8)
        self.keys[made] = (normal(passport), session)
        return made

    def watchers(self, user: User) -> list[User]:
        """Who has somebody on their list and is signed on."""
        return [
            other
            for other in self.users.values()
            if other.session is not None and other is not user and other.on(user, Lists.FL)
        ]
