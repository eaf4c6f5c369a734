"""The stations of a session."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """Where the session stands."""

    IDLE = "idle"
    WAITING = "waiting"
    ELSEWHERE = "elsewhere"
    CONNECTING = "connecting"
    SIGNING_ON = "signing-on"
    IDENTIFYING = "identifying"
    UP = "up"
