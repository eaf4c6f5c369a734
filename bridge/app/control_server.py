"""The control socket, from the daemon's side: answers what commands ask (see ``control``)."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import structlog
from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorUNIX
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from bridge.app.control import NAME, ControlError, ask

_log = structlog.get_logger(__name__)
_MAX_LINE = 65_536

Answer = Callable[[Mapping[str, Any]], "Mapping[str, Any] | Deferred[Mapping[str, Any]]"]
"""Answers a question, at once or later; a refusal is a ControlError."""


class _Control(LineOnlyReceiver):
    delimiter = b"\n"
    MAX_LENGTH = _MAX_LINE

    def __init__(self, questions: Mapping[str, Answer]) -> None:
        self._questions = questions

    def lineReceived(self, line: bytes) -> None:  # noqa: N802  (Twisted's name)
        answer = self._answer(line)
        if isinstance(answer, Deferred):
            answer.addCallbacks(self._later, self._failed)
        else:
            self._write(answer)

    def _write(self, answer: Mapping[str, Any]) -> None:
        if self.transport is not None:
            self.transport.write(orjson.dumps(answer, default=str) + b"\n")

    def _later(self, answer: Mapping[str, Any]) -> None:
        self._write({"ok": True, **answer})

    def _failed(self, failure: Failure) -> None:
        if not isinstance(failure.value, ControlError):
            _log.error("question failed", traceback=failure.getTraceback())
        self._write({"ok": False, "error": failure.getErrorMessage()})

    def _answer(self, line: bytes) -> "Mapping[str, Any] | Deferred[Mapping[str, Any]]":
        try:
            asked = orjson.loads(line)
        except orjson.JSONDecodeError as e:
            return {"ok": False, "error": f"not JSON: {e}"}
        answer = self._questions.get(str(asked.get("ask"))) if isinstance(asked, dict) else None
        if answer is None:
            return {"ok": False, "error": f"not a question; known are {', '.join(sorted(self._questions))}"}
        try:
            said = answer(asked)
            return said if isinstance(said, Deferred) else {"ok": True, **said}
        except ControlError as e:
            return {"ok": False, "error": str(e)}


@define(eq=False)
class _ControlFactory(Factory):
    questions: Mapping[str, Answer]
    noisy = False

    def buildProtocol(self, addr: object) -> _Control:  # noqa: N802  (Twisted's name and signature)
        return _Control(self.questions)


def listen(reactor: IReactorUNIX, folder: Path, questions: Mapping[str, Answer]) -> IListeningPort:
    """Opens the control socket of the daemon whose data folder this is.

    Raises:
        ControlError: another daemon runs on this folder, or the socket cannot be opened there.
    """
    path = folder / NAME
    if path.exists():
        try:
            ask(folder, "status")
        except ControlError:
            path.unlink(missing_ok=True)  # left behind by a daemon that was killed
        else:
            raise ControlError(f"another daemon runs on {folder}")
    before = os.umask(0o177)
    try:
        return reactor.listenUNIX(str(path), _ControlFactory(questions), mode=0o600)
    except (CannotListenError, OSError) as e:
        raise ControlError(f"the control socket cannot be opened: {e}") from e
    finally:
        os.umask(before)
