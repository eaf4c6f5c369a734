"""Runs the edits of the server's list one after another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from transports.common.machine.results import failed, unknown
from transports.oscar.machine.actions import SendDone
from transports.oscar.machine.connection import Connection, Outgoing
from transports.oscar.machine.roster import NO_ANSWER, Edit, RosterState
from transports.oscar.wire import feedbag
from transports.oscar.wire.common import SnacError
from transports.oscar.wire.native import Inbound, RosterEditFailed
from transports.oscar.wire.snac import Body

MAX_EDITS = 500
"""The most edits that may wait."""
_REFUSED = -2


class _Job:
    __slots__ = ("edit", "key", "name")

    def __init__(self, name: str, edit: Edit, key: Hashable) -> None:
        self.name = name
        self.edit = edit
        self.key = key


class Edits:
    """The edits of one account.

    Args:
        account: our name.
        roster: what they edit.
        timeout: an edit without an answer for so many seconds is given up as unknown.
        emit: takes `SendDone` and `RosterEditFailed`.
    """

    __slots__ = ("_account", "_conn", "_deadline", "_emit", "_job", "_jobs", "_roster", "_step", "_timeout")

    def __init__(
        self, account: str, roster: RosterState, *, timeout: float, emit: Callable[[Inbound | SendDone], None]
    ) -> None:
        self._account = account
        self._roster = roster
        self._timeout = timeout
        self._emit = emit
        self._jobs: deque[_Job] = deque()
        self._job: _Job | None = None
        self._conn: Connection | None = None
        self._deadline: float | None = None
        self._step = 0

    def add(self, conn: Connection, name: str, edit: Edit, key: Hashable, now: float) -> None:
        """Run an edit of `name` in its turn."""
        if len(self._jobs) >= MAX_EDITS:
            text = "Too many changes of the contact list are waiting."
            self._emit(SendDone(key=key, result=failed("too many edits wait", retryable=True, user_text=text)))
            return
        self._conn = conn
        self._jobs.append(_Job(name, edit, key))
        self._next(now)

    def next_deadline(self) -> float | None:
        """When the edit under way is given up."""
        return self._deadline

    def tick(self, now: float) -> None:
        """Give up an edit without an answer."""
        if self._deadline is not None and self._deadline <= now:
            self._finish(unknown("no answer to an edit of the list"), now)

    def _next(self, now: float) -> None:
        while self._job is None and self._jobs:
            self._job = self._jobs.popleft()
            self._advance(None, now)

    def _advance(self, statuses: tuple[int, ...] | None, now: float) -> None:
        job, conn = self._job, self._conn
        if job is None or conn is None:
            return
        self._step += 1
        step = self._step
        while True:
            try:
                body = next(job.edit) if statuses is None else job.edit.send(statuses)
            except StopIteration as stop:
                self._result(job, stop.value, now)
                return
            if not isinstance(body, feedbag.StartEdit | feedbag.EndEdit):
                break
            conn.submit(Outgoing(body), now)
            statuses = ()
        # the answer is awaited from when it can be sent: rate limits may hold it for a while
        self._deadline = now + self._timeout + conn.expected(body, conn.position(body), now)
        conn.submit(Outgoing(body, on_reply=lambda answer, _more, at: self._answered(step, answer, at)), now)

    def _answered(self, step: int, answer: Body, now: float) -> None:
        if step != self._step or self._job is None:
            return
        if isinstance(answer, feedbag.EditStatus):
            self._advance(answer.words, now)
        elif isinstance(answer, SnacError):
            self._advance((_REFUSED,), now)
        else:
            self._advance((), now)

    def _result(self, job: _Job, code: int, now: float) -> None:
        if code == feedbag.OK:
            self._finish(SendResult(stage=Stage.RELAYED), now)
        elif code == NO_ANSWER:
            self._finish(unknown("the server did not say what became of the edit"), now)
        else:
            name = feedbag.STATUS_NAMES.get(code, "refused" if code == _REFUSED else f"status {code:#06x}")
            needs = code == feedbag.NEEDS_AUTHORIZATION
            self._emit(
                RosterEditFailed(
                    account=self._account, screen_name=job.name, code=code, name=name, needs_authorization=needs
                )
            )
            text = f"The network did not change the contact list: {name}."
            self._finish(failed(f"list edit: {name}", retryable=False, user_text=text), now)

    def _finish(self, result: SendResult, now: float) -> None:
        job, self._job, self._deadline = self._job, None, None
        self._step += 1
        if job is not None:
            job.edit.close()
            self._roster.to_tell = True
            self._emit(SendDone(key=job.key, result=result))
        self._next(now)

    def lost(self) -> None:
        """The connection is gone: the edit under way is unknown, the others were not begun."""
        job, self._job, self._deadline, self._conn = self._job, None, None, None
        self._step += 1
        if job is not None:
            job.edit.close()
            self._emit(SendDone(key=job.key, result=unknown("the connection was lost during an edit of the list")))
        waiting, self._jobs = self._jobs, deque()
        text = "The connection to the network was lost."
        for each in waiting:
            each.edit.close()
            result = failed("the connection was lost before the edit began", retryable=True, user_text=text)
            self._emit(SendDone(key=each.key, result=result))

    def moved(self, conn: Connection) -> None:
        """The session goes on over another connection."""
        self._conn = conn
