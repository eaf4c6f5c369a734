"""The control socket, from a command's side: how it asks the running daemon (``control_server`` is the other side).

A UNIX socket in the data folder, its owner's alone. One JSON object a line each way: ``{"ask": "status"}`` is answered
with ``{"ok": true, ...}`` or ``{"ok": false, "error": "..."}``.
"""

import socket
from pathlib import Path
from typing import Any

import orjson

NAME = "control.sock"
_MAX_ANSWER = 64 * 1024 * 1024


class ControlError(Exception):
    """The daemon does not run, or refuses what was asked."""


class NotRunningError(ControlError):
    """No daemon runs on this data folder."""


def ask(folder: Path, question: str, **more: object) -> dict[str, Any]:
    """Asks the daemon whose data folder this is, and waits for its answer, 10 s at most.

    Raises:
        NotRunningError: it does not run.
        ControlError: it does not answer, or refuses.
    """
    path = folder / NAME
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.settimeout(10)
            wire.connect(str(path))
            wire.sendall(orjson.dumps({"ask": question, **more}) + b"\n")
            with wire.makefile("rb") as lines:
                line = lines.readline(_MAX_ANSWER)
    except (FileNotFoundError, ConnectionRefusedError) as e:
        raise NotRunningError(f"no daemon answers at {path}: {e.strerror or e}") from e
    except OSError as e:
        raise ControlError(f"no daemon answers at {path}: {e.strerror or e}") from e
    if not line:
        raise ControlError(f"the daemon at {path} closed without an answer")
    answer: dict[str, Any] = orjson.loads(line)
    if not answer.pop("ok"):
        raise ControlError(answer["error"])
    return answer
