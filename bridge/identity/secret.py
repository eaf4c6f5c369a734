"""A secret text that does not show itself."""

import hmac
from typing import NoReturn, final


@final
class Secret:
    """Holds a password. It shows as ``Secret(***)`` wherever it is printed, logged or formatted.

    It cannot be pickled or copied into a structure by attrs' or dataclasses' helpers: only ``reveal`` gives it out.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Returns the secret itself. Its callers are few: look for them in a review."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not to be pickled")
