"""Who is signed on: what others see of them, and whom they let see it."""

from __future__ import annotations

from collections.abc import Iterable

from tests.kit.oscar_server.accounts import (
    DENY_ALL,
    DENY_SOME,
    PERMIT_ALL,
    PERMIT_BUDDIES,
    PERMIT_SOME,
    Account,
)
from transports.oscar.wire.codes import ICQ_INVISIBLE
from transports.oscar.wire.names import normal
from transports.oscar.wire.reader import u16, u32
from transports.oscar.wire.snac import FROM_SERVER, Body
from transports.oscar.wire.tlv import Tlvs
from transports.oscar.wire.userinfo import (
    CAPS,
    CLASS,
    CLASS_AWAY,
    CLASS_ICQ,
    CLASS_UNCONFIRMED,
    IDLE,
    SIGNON_TIME,
    STATUS,
    UserInfo,
)

_CLASS_FREE = 0x0010
_DIRECT_CONNECTION, _UNEXPLAINED = 0x0C, 0x1E
_NO_DIRECT_CONNECTION = bytes(37)


class Resident:
    """Somebody who is signed on. `deliver` is what a session and a bot do differently.

    Attributes:
        online: sign-on is complete.
        seen_by: the residents who were told that this one is online.
        watching: the normal names of whom this one wants to know.
    """

    def __init__(self, account: Account, now: float) -> None:
        self.account = account
        self.name = account.name
        self.display = account.display
        self.signed_on_at = int(now)
        self.online = False
        self.away_mime = b""
        self.away = b""
        self.profile_mime = b""
        self.profile = b""
        self.caps = b""
        self.status = 0
        self.idle_since: float | None = None
        self.wants_typing = False
        self.seen_by: set[Resident] = set()
        self.watching: set[str] = set()
        self._mode: int | None = None
        self._permits: set[str] = set()
        self._denies: set[str] = set()
        self._info: UserInfo | None = None

    def deliver(self, body: Body, request_id: int = FROM_SERVER, *, flags: int = 0, extra: Tlvs | None = None) -> None:
        """Take a SNAC."""
        raise NotImplementedError

    # -- what others see

    def changed(self) -> None:
        """The block that others see is to be made anew."""
        self._info = None

    def info(self, now: float) -> UserInfo:
        """The block that others see."""
        if self._info is None or self.idle_since is not None:
            self._info = UserInfo(name=self.display, warning=self.account.warning, tlvs=Tlvs(self._fields(now)))
        return self._info

    def _fields(self, now: float) -> list[tuple[int, bytes]]:
        user_class = CLASS_UNCONFIRMED | _CLASS_FREE
        if self.account.icq:
            user_class |= CLASS_ICQ
        if self.away:
            user_class |= CLASS_AWAY
        fields = [(SIGNON_TIME, u32(self.signed_on_at)), (CLASS, u16(user_class)), (STATUS, u32(self.status))]
        if self.idle_since is not None:
            fields.append((IDLE, u16(min(0xFFFF, int((now - self.idle_since) // 60)))))
        if self.account.icq:
            fields.append((_DIRECT_CONNECTION, _NO_DIRECT_CONNECTION))
        if self.caps:
            fields.append((CAPS, self.caps))
        fields.append((_UNEXPLAINED, u32(0)))
        return fields

    @property
    def invisible(self) -> bool:
        """Whether this one wants to be seen by nobody."""
        return bool(self.status & ICQ_INVISIBLE)

    # -- privacy

    def hides_from(self, name: str) -> bool:
        """Whether the account's list, or this session's own permits and denies, shut a normal name out."""
        return name != self.name and (self._session_hides(name) or self._list_hides(name))

    def _session_hides(self, name: str) -> bool:
        if self._mode == DENY_ALL:
            return True
        if self._mode == PERMIT_SOME:
            return name not in self._permits
        return self._mode == DENY_SOME and name in self._denies

    def _list_hides(self, name: str) -> bool:
        listed = self.account.privacy()
        if listed.mode == DENY_ALL:
            return True
        if listed.mode == PERMIT_SOME:
            return name not in listed.permits
        if listed.mode == PERMIT_BUDDIES:
            return name not in self.account.buddies()
        return listed.mode == DENY_SOME and name in listed.denies

    def permit(self, names: Iterable[str]) -> None:
        """09/05: only these (itself alone: nobody)."""
        wanted = {normal(name) for name in names}
        self._mode = DENY_ALL if wanted == {self.name} else PERMIT_SOME
        self._permits |= wanted

    def deny(self, names: Iterable[str]) -> None:
        """09/07: all but these (itself alone: all)."""
        wanted = {normal(name) for name in names}
        self._mode = PERMIT_ALL if wanted == {self.name} else DENY_SOME
        self._denies |= wanted

    def forget_permits(self, names: Iterable[str]) -> None:
        """09/06."""
        self._permits -= {normal(name) for name in names}

    def forget_denies(self, names: Iterable[str]) -> None:
        """09/08."""
        self._denies -= {normal(name) for name in names}
