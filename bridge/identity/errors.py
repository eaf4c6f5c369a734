"""What identity refuses. Each error names what is wrong and where; ``code`` is stable, for scripts."""

from typing import ClassVar

from attrs import frozen


class IdentityError(Exception):
    """A change or a name that identity refuses.

    Args:
        what: what is wrong, fit to be shown to an operator. It never holds a secret.
        where: the address, the name, the file or the line that it is about.
    """

    code: ClassVar[str] = "identity"

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what)
        self.what = what
        self.where = where


class AddressRefused(IdentityError):
    """It is not a corporate address, or its domain is not ours."""

    code = "bad-address"


class NameRefused(IdentityError):
    """It is not a name that this network can have, or the network is not known."""

    code = "bad-name"


class PasswordRefused(IdentityError):
    """It cannot be a password."""

    code = "bad-password"


class NoSuchAccount(IdentityError):
    """No local account has this address."""

    code = "no-such-account"


class AccountExists(IdentityError):
    """An account has this address, or this way to sign on, already."""

    code = "account-exists"


class NameTaken(IdentityError):
    """The screen name is bound to another person at that time."""

    code = "name-taken"


class NotBound(IdentityError):
    """The screen name is not bound to this person."""

    code = "not-bound"


class TimeRefused(IdentityError):
    """A time that lies in the future, or outside the binding that it would change."""

    code = "bad-time"


class ConcurrentChange(IdentityError):
    """Another process has changed the identities since they were read. Nothing was written: read again."""

    code = "concurrent-change"


class KeyringError(IdentityError):
    """The key file is missing, open to others, damaged, or in the way."""

    code = "keyring"


class KeyringDamaged(KeyringError):
    """The key file is there, and what it holds is no keyring."""

    code = "keyring-damaged"


class VaultError(IdentityError):
    """A sealed secret does not open: its key is not in the keyring, or it was altered or moved."""

    code = "vault"


class UnknownKey(VaultError):
    """The key that sealed this secret is not in the keyring."""

    code = "unknown-key"


@frozen(kw_only=True)
class LineError:
    """What is wrong with one line of an imported file. ``line`` counts from 1."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class ImportRefused(IdentityError):
    """A file was not imported, and nothing of it was kept. ``lines`` has every bad line, in order."""

    code = "import-refused"

    def __init__(self, lines: tuple[LineError, ...], where: str = "") -> None:
        count = "1 bad line" if len(lines) == 1 else f"{len(lines)} bad lines"
        super().__init__(f"nothing imported, {count}: " + "; ".join(map(str, lines[:5])), where)
        self.lines = lines
