"""The link to the homeserver as a whole: there, away, or one that does not know our token."""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum
from typing import Final

from transports.common.machine.backoff import Backoff
from transports.matrix.machine.calls import Calls, Lost, Outcome
from transports.matrix.machine.config import SessionConfig
from transports.matrix.wire import requests
from transports.matrix.wire.answers import Refusal

LANE: Final = "homeserver"


class Phase(Enum):
    """How the link stands."""

    IDLE = "idle"
    CHECKING = "checking"
    UP = "up"
    DOWN = "down"
    REFUSED = "refused"


class Homeserver:
    """Asks whether it is there, at once and then with pauses.

    Args:
        config: the session's.
        calls: makes the requests.
        changed: told when it has come up, gone down or refused us: the reason, and seconds until it is tried again.
        rng: jitter, and names of pings.

    Attributes:
        phase: how the link stands.
        reached: whether it can reach us, as far as a ping has told; None before.
    """

    def __init__(
        self,
        config: SessionConfig,
        calls: Calls,
        changed: Callable[[Phase, str, float | None, float], None],
        rng: random.Random,
    ) -> None:
        self.phase = Phase.IDLE
        self.reached: bool | None = None
        self.reason = ""
        self._config = config
        self._calls = calls
        self._changed = changed
        self._rng = rng
        self._backoff = Backoff(config.backoff_base, config.backoff_cap, rng)
        self._retry_at: float | None = None
        self._heard = 0.0
        self._probing = False

    def start(self, now: float) -> None:
        """Begins."""
        if self.phase is Phase.IDLE:
            self._check(now)

    def stop(self) -> None:
        """Ends."""
        self.phase = Phase.IDLE
        self._retry_at = None

    def heard(self, now: float) -> None:
        """It has answered something."""
        self._heard = now

    def knocked(self, now: float) -> None:
        """It has come to us: it is there, so a pause is over."""
        if self.phase is Phase.DOWN:
            self._check(now)

    def lost(self, reason: str, now: float) -> None:
        """There is no way to it."""
        if self.phase in {Phase.UP, Phase.CHECKING}:
            self._end(Phase.DOWN, reason, self._backoff.next(), now)

    def refused(self, refusal: Refusal, now: float) -> None:
        """It does not know our token. Somebody has to do something there; that it was done is seen by trying."""
        if self.phase in {Phase.UP, Phase.CHECKING}:
            reason = f"the homeserver refuses the token of this service ({refusal.errcode})"
            self._end(Phase.REFUSED, reason, self._config.refused_wait, now)

    def _end(self, phase: Phase, reason: str, wait: float, now: float) -> None:
        self.phase, self.reason = phase, reason
        self._probing = False
        self._retry_at = now + wait
        self._changed(phase, reason, wait, now)

    def _check(self, now: float) -> None:
        self.phase = Phase.CHECKING
        self._retry_at = None
        self._calls.submit(requests.whoami(), LANE, self._checked, now, timeout=10.0)

    def _checked(self, outcome: Outcome, now: float) -> None:
        if self.phase is not Phase.CHECKING:
            return
        if isinstance(outcome, Lost):
            self.lost(outcome.reason, now)
        elif isinstance(outcome, Refusal):
            if outcome.status in {401, 403}:
                self.refused(outcome, now)
            else:
                self.lost(f"the homeserver answers {outcome}", now)
        else:
            self._backoff.reset()
            self.phase, self.reason = Phase.UP, ""
            self._changed(Phase.UP, "", None, now)

    def ping(self, now: float) -> None:
        """Asks it to reach us: what it has kept for us while we were away then comes without delay."""
        request = requests.ping(self._config.service, f"p{self._rng.getrandbits(48):x}")
        self._calls.submit(request, LANE, self._pinged, now, timeout=60.0)

    def _pinged(self, outcome: Outcome, _now: float) -> None:
        if isinstance(outcome, Lost):
            return
        if not isinstance(outcome, Refusal):
            self.reached = True
        elif outcome.errcode != "M_UNRECOGNIZED":  # a server of before v1.7 of the specification has no ping
            self.reached = False

    # Time

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        if self._retry_at is not None:
            return self._retry_at
        if self.phase is Phase.UP and not self._probing:
            return self._heard + self._config.probe_after
        return None

    def tick(self, now: float) -> None:
        """Does what is due."""
        if self._retry_at is not None and self._retry_at <= now:
            self._check(now)
        elif self.phase is Phase.UP and not self._probing and self._heard + self._config.probe_after <= now:
            self.probe(now)

    def probe(self, now: float) -> None:
        """Asks whether it is still there."""
        if self.phase is not Phase.UP or self._probing:
            return
        self._probing = True
        self._calls.submit(requests.whoami(), LANE, self._probed, now, timeout=10.0)

    def _probed(self, outcome: Outcome, now: float) -> None:
        self._probing = False
        if isinstance(outcome, Lost) and self.phase is Phase.UP:
            self.lost(outcome.reason, now)
