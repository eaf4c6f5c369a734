"""What a kind of network is to the composition root."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

if TYPE_CHECKING:  # a command that only reads options needs none of them
    from pathlib import Path

    from bridge.app.sections import NetworkSection
    from bridge.delivery.ports import Link, Sink
    from bridge.identity.secret import Secret
    from bridge.model.capabilities import LinkState
    from bridge.model.ids import NetworkId
    from bridge.model.presence import PersonPresence


@frozen(kw_only=True)
class Surroundings:
    """What a network is built with."""

    network: NetworkId
    section: NetworkSection
    options: Any
    reactor: Any
    clock: Callable[[], float]
    keys: Path | None = None
    """The folder of the bridge's secrets, for a kind that has some of its own."""


class Network(Protocol):
    """A network on which accounts of ours are signed on (the Login role)."""

    @property
    def link(self) -> Link:
        """Its wire and translation."""

    async def start(self, sink: Sink[Any]) -> None:
        """Begins."""

    async def stop(self, *, drain: float) -> None:
        """Signs everybody off and ends."""

    def sign_on(self, account: str, credential: Secret, presence: PersonPresence) -> None:
        """Signs an account on, or again with a new password: an empty one where the kind needs none and none is kept.

        See ``Kind.needs_credentials``.
        """

    def sign_off(self, account: str) -> None:
        """Signs an account off."""

    def states(self) -> Mapping[str, LinkState]:
        """Returns the state of each account."""

    def numbers(self) -> Mapping[str, int]:
        """Returns numbers for metrics."""


def _always(_: Any) -> bool:
    return True


@frozen(kw_only=True)
class Kind:
    """A kind of network: its address rules are those of ``mappings.identity`` under the same name."""

    options: type[Any]
    build: Callable[[Surroundings], Network]
    needs_credentials: Callable[[Any], bool] = _always
    """Whether, with these options, each account signs on with a password of its own. Where none does (the bridge itself
    is known to the server), a binding alone is an account."""
