"""Who stands behind a name. On IRC a name belongs to whoever wears it, so a change of the wearer is told."""

from __future__ import annotations

from collections import OrderedDict

from attrs import evolve, frozen


@frozen(kw_only=True)
class Mark:
    """What the server says of who wears a name.

    Attributes:
        services_account: None where they are logged in to none.
        accounts_told: whether the server tells accounts at all.
        userhost: ``user@host``.
    """

    services_account: str | None
    accounts_told: bool
    userhost: str

    def shown(self) -> str:
        """What people are shown of it."""
        if self.accounts_told and self.services_account:
            return f"account {self.services_account}"
        return self.userhost or "unknown"


class Peers:
    """The last mark of each correspondent.

    Args:
        limit: the most; beyond it, who wrote the longest ago is forgotten.
    """

    __slots__ = ("_known", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: OrderedDict[str, Mark] = OrderedDict()

    def saw(self, nick: str, mark: Mark) -> Mark | None:
        """Somebody wrote under a name (canonical). Gives the mark of who wore it before, if that was somebody else."""
        before = self._known.pop(nick, None)
        self._known[nick] = mark
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return before if before is not None and _others(before, mark) else None

    def logged_in(self, nick: str, services_account: str | None) -> None:
        """ACCOUNT: the same person has logged in or out, before our eyes."""
        known = self._known.get(nick)
        if known is not None:
            self._known[nick] = evolve(known, services_account=services_account, accounts_told=True)

    def moved(self, nick: str, userhost: str) -> None:
        """CHGHOST: the same person has another host, before our eyes."""
        known = self._known.get(nick)
        if known is not None:
            self._known[nick] = evolve(known, userhost=userhost)

    def renamed(self, before: str, after: str) -> bool:
        """NICK: who wore one name wears another now. Whether they are one of ours."""
        known = self._known.pop(before, None)
        if known is None:
            return False
        self._known[after] = known
        return True


def _others(before: Mark, now: Mark) -> bool:
    """Whether two marks are of two people, as far as can be told."""
    if before.accounts_told and now.accounts_told and (before.services_account or now.services_account):
        return before.services_account != now.services_account
    return bool(before.userhost and now.userhost) and before.userhost != now.userhost
