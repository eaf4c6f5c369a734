"""The accounts of the server: passwords, buddy lists, stored messages. All of it lives in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from attrs import define, field, frozen

from transports.oscar.wire import feedbag
from transports.oscar.wire.icbm import SendMessage
from transports.oscar.wire.names import is_uin, normal
from transports.oscar.wire.tlv import NO_TLVS

MAX_STORED = 200
"""The most messages that are stored for one account."""
PERMIT_ALL, DENY_ALL, PERMIT_SOME, DENY_SOME, PERMIT_BUDDIES = 1, 2, 3, 4, 5
"""Privacy modes."""
_FIRST_ID = 0x1000


class AccountsError(ValueError):
    """Accounts that cannot be read; the message names the file or the argument, and where."""


@frozen(kw_only=True)
class Stored:
    """A message that waits for its recipient: who sent it (as shown), when (seconds since 1970), and what."""

    sender: str
    sent: float
    message: SendMessage


@frozen(kw_only=True)
class Privacy:
    """What a list says of who may see its owner. Denied names count as such where no mode is named."""

    mode: int
    permits: frozenset[str]
    denies: frozenset[str]


@define(eq=False)
class Account:
    """One account.

    Attributes:
        display: the name as it is shown.
        items: the list, by (group id, item id).
        stamp: when the list was changed last, seconds since 1970.
        stored: messages that wait.
        requires_authorization: others must ask before they may have this (ICQ) account on their list.
        granted: who may, normal names.
        asked: who asked (and why) while the account was away.
        warning: in tenths of a percent.
    """

    display: str
    password: str
    member_since: int
    stamp: int
    requires_authorization: bool = False
    items: dict[tuple[int, int], feedbag.Item] = field(factory=dict)
    stored: list[Stored] = field(factory=list)
    granted: set[str] = field(factory=set)
    asked: dict[str, str] = field(factory=dict)
    warning: int = 0
    _privacy: Privacy | None = None

    @property
    def name(self) -> str:
        """The name as it is compared."""
        return normal(self.display)

    @property
    def icq(self) -> bool:
        """Whether this is an ICQ number."""
        return is_uin(self.display)

    def buddies(self) -> set[str]:
        """The normal names on the list that are not waiting for an authorization."""
        return {
            normal(item.name)
            for item in self.items.values()
            if item.class_id == feedbag.BUDDY and not item.awaits_authorization
        }

    def changed(self, now: float) -> None:
        """The list was changed."""
        # a client that shows an old time must never be told that nothing has changed
        self.stamp = max(int(now), self.stamp + 1)
        self._privacy = None

    def privacy(self) -> Privacy:
        """Whom the list lets see its owner."""
        if self._privacy is None:
            mode = DENY_SOME
            names: dict[int, set[str]] = {feedbag.PERMIT: set(), feedbag.DENY: set()}
            for item in self.items.values():
                if item.class_id == feedbag.PDINFO:
                    mode = item.tlvs.u8(feedbag.ATTR_PD_MODE) or PERMIT_ALL
                elif item.class_id in names:
                    names[item.class_id].add(normal(item.name))
            self._privacy = Privacy(
                mode=mode, permits=frozenset(names[feedbag.PERMIT]), denies=frozenset(names[feedbag.DENY])
            )
        return self._privacy

    def put_on_list(self, names: Iterable[str], group: str = "Buddies") -> None:
        """Fill the list before anybody has signed on."""
        group_id = _FIRST_ID + len(self.items)
        ids = []
        for offset, name in enumerate(names, start=1):
            item_id = group_id + offset
            ids.append(item_id)
            item = feedbag.Item(name=name, group_id=group_id, item_id=item_id, class_id=feedbag.BUDDY)
            self.items[group_id, item_id] = item
        head = feedbag.Item(name=group, group_id=group_id, item_id=0, class_id=feedbag.GROUP)
        self.items[group_id, 0] = head.with_order(tuple(ids))
        root = self.items.get((0, 0)) or feedbag.Item(
            name="", group_id=0, item_id=0, class_id=feedbag.GROUP, tlvs=NO_TLVS
        )
        self.items[0, 0] = root.with_order((*root.order, group_id))


class Accounts:
    """All accounts by name."""

    def __init__(self, now: float) -> None:
        self._now = int(now)
        self._by_name: dict[str, Account] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def find(self, name: str) -> Account | None:
        """An account by any spelling of its name."""
        return self._by_name.get(normal(name))

    def add(self, display: str, password: str, *, where: str, requires_authorization: bool = False) -> Account:
        """A new account; raises `AccountsError` for an empty name or password, and for a name that is taken."""
        name = normal(display)
        if not name or len(display.encode()) > 97:
            raise AccountsError(f"{where}: {display!r} is no screen name")
        if not password:
            raise AccountsError(f"{where}: {display!r} has no password")
        if name in self._by_name:
            raise AccountsError(f"{where}: {display!r} is there already")
        account = Account(
            display=display,
            password=password,
            member_since=self._now,
            stamp=self._now,
            requires_authorization=requires_authorization,
        )
        self._by_name[name] = account
        return account

    def add_argument(self, argument: str) -> Account:
        """``name:password`` from the command line; raises `AccountsError`."""
        name, separator, password = argument.partition(":")
        if not separator:
            raise AccountsError(f"--account {argument!r}: no colon between name and password")
        return self.add(name, password, where=f"--account {name}")

    def load(self, path: Path) -> None:
        """Accounts from a file: ``{"name": "password", ..}`` or a list of objects with ``name``, ``password`` and,
        optionally, ``buddies`` (names) and ``requires_authorization``; raises `AccountsError`.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise AccountsError(f"{path}: {error.strerror}") from error
        except ValueError as error:
            raise AccountsError(f"{path}: {error}") from error
        if isinstance(data, dict):
            data = [{"name": name, "password": password} for name, password in data.items()]
        if not isinstance(data, list):
            raise AccountsError(f"{path}: neither an object nor a list")
        for index, entry in enumerate(data):
            self._load_one(entry, f"{path}: account {index}")

    def _load_one(self, entry: object, where: str) -> None:
        if not isinstance(entry, dict):
            raise AccountsError(f"{where}: not an object")
        unknown = set(entry) - {"name", "password", "buddies", "requires_authorization"}
        if unknown:
            raise AccountsError(f"{where}: unknown keys {sorted(map(str, unknown))}")
        name, password, buddies = entry.get("name"), entry.get("password"), entry.get("buddies", [])
        must_ask = entry.get("requires_authorization", False)
        if not isinstance(name, str) or not isinstance(password, str):
            raise AccountsError(f"{where}: name and password must be texts")
        if not isinstance(buddies, list) or not all(isinstance(each, str) for each in buddies):
            raise AccountsError(f"{where}: buddies must be a list of texts")
        if not isinstance(must_ask, bool):
            raise AccountsError(f"{where}: requires_authorization must be true or false")
        account = self.add(name, password, where=where, requires_authorization=must_ask)
        if buddies:
            account.put_on_list(buddies)
