"""Edits of the lists, one after the other: each is some steps, and the next begins when the server has answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable

from attrs import define

from bridge.model.capabilities import SendResult
from transports.msnp.machine import results
from transports.msnp.machine.actions import Fetched, SendDone
from transports.msnp.machine.roster import RosterState
from transports.msnp.wire import addressbook, codes, lists, native
from transports.msnp.wire.addressbook import Call
from transports.msnp.wire.codes import Lists
from transports.msnp.wire.command import Command, command
from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.soap import SoapFault

_OTHER_FAULT = 403
Edit = native.ContactAdd | native.ContactRemove | native.Allow
_DONE_ALREADY = frozenset({codes.ON_LIST, codes.NOT_ON_LIST, 219})
_FAULTS = {
    "ContactAlreadyExists": codes.ON_LIST,
    "MemberAlreadyExists": codes.ON_LIST,
    "ContactDoesNotExist": codes.NOT_ON_LIST,
    "MemberDoesNotExist": codes.NOT_ON_LIST,
    "InvalidPassportUser": 208,
    "BadEmailArgument": 208,
    "QuotaLimitReached": codes.LIST_FULL,
}


@define(eq=False)
class _Step:
    """One change of one list."""

    which: Lists
    wanted: bool


@define(eq=False)
class _Job:
    key: Hashable
    passport: str
    steps: deque[_Step]


class Edits:
    """The edits of an account.

    Args:
        account: our passport.
        roster: what is edited; it changes as the steps succeed.
        timeout: seconds for an answer.
        limit: how many may wait.
        emit: takes `SendDone` and `RosterEditFailed`.
        say: sends a command that it makes of a transaction id; its answer goes to the function given with it.
        call: calls the contact service (MSNP15), with the function that takes the answer.
    """

    def __init__(
        self,
        account: str,
        roster: RosterState,
        *,
        timeout: float,
        limit: int,
        emit: Callable[[native.Inbound | SendDone], None],
        say: Callable[[Callable[[int], Command], Callable[[Command, float], None]], None],
        call: Callable[[Callable[[str], Call], Callable[[Fetched, float], None]], None],
    ) -> None:
        self._account = account
        self._roster = roster
        self._timeout = timeout
        self._limit = limit
        self._emit = emit
        self._say = say
        self._call = call
        self._waiting: deque[_Job] = deque()
        self._job: _Job | None = None
        self._turn = 0
        self._due: float | None = None
        self.version = 0

    def add(self, value: Edit, key: Hashable, now: float) -> None:
        """Takes an edit; its end is told as `SendDone`."""
        if len(self._waiting) >= self._limit:
            text = "Too many changes of the contact list are waiting."
            self._emit(SendDone(key=key, result=results.failed("too many edits", retryable=True, user_text=text)))
            return
        self._waiting.append(_Job(key, value.passport, deque(self._steps(value))))
        self._next(now)

    def _steps(self, value: Edit) -> list[_Step]:
        if isinstance(value, native.ContactAdd):
            wanted = [_Step(Lists.FL, True)]
        elif isinstance(value, native.ContactRemove):
            wanted = [_Step(Lists.FL, False)]
        else:
            put, off = (Lists.AL, Lists.BL) if value.allowed else (Lists.BL, Lists.AL)
            wanted = [_Step(off, False), _Step(put, True)]
            if self.version >= 11 and self._roster.on(value.passport, Lists.PL):
                # who waits for an answer counts as having us once there is one
                wanted += [_Step(Lists.RL, True), _Step(Lists.PL, False)]
        return wanted

    def _next(self, now: float) -> None:
        while self._job is None and self._waiting:
            self._job = self._waiting.popleft()
            self._step(now)

    def _step(self, now: float) -> None:
        job = self._job
        assert job is not None
        while job.steps:
            step = job.steps[0]
            if self._roster.on(job.passport, step.which) is not step.wanted:
                self._turn += 1
                self._due = now + self._timeout
                self._begin(job, step)
                return
            job.steps.popleft()
        self._end(results.RELAYED, now)

    def _begin(self, job: _Job, step: _Step) -> None:
        turn = self._turn
        try:
            if self.version >= 13:
                self._by_service(job, step, turn)
                return
            line = self._roster.line(job.passport)
            contact_id = "" if line is None else line.id

            def made(trid: int) -> Command:
                if step.wanted:
                    return lists.add(trid, self.version, step.which, job.passport)
                return lists.remove(trid, self.version, step.which, job.passport, contact_id)

            self._say(made, lambda answer, now: self._answered(turn, answer, now))
        except MsnpSyntaxError as error:
            self._due = None
            self._failed(0, str(error), 0.0)

    def _answered(self, turn: int, answer: Command, now: float) -> None:
        if turn != self._turn or self._job is None:
            return
        job = self._job
        step = job.steps[0]
        if answer.error is not None and answer.error not in _DONE_ALREADY:
            self._failed(answer.error, codes.error_name(answer.error), now)
            return
        contact_id = ""
        if answer.error is None and answer.name in {"ADD", "ADC"}:
            try:
                contact_id = lists.read_edit(answer, self.version).id
            except MsnpSyntaxError:
                contact_id = ""  # it is done all the same; the id comes with the next list
        self._done(job, step, contact_id, now)

    def _done(self, job: _Job, step: _Step, contact_id: str, now: float) -> None:
        edit = lists.Edit(added=step.wanted, lists=step.which, passport=job.passport, id=contact_id)
        self._roster.edited(edit)
        job.steps.popleft()
        self._due = None
        self._step(now)

    # -- MSNP15: the service keeps the list, and ADL or RML tells the notification server

    def _by_service(self, job: _Job, step: _Step, turn: int) -> None:
        def made(ticket: str) -> Call:
            if step.which is not Lists.FL:
                return addressbook.member(ticket, step.which, job.passport, wanted=step.wanted)
            if step.wanted:
                return addressbook.add_contact(ticket, job.passport)
            line = self._roster.line(job.passport)
            return addressbook.delete_contact(ticket, "" if line is None else line.id)

        self._call(made, lambda answer, now: self._served(turn, answer, now))

    def _served(self, turn: int, answer: Fetched, now: float) -> None:
        if turn != self._turn or self._job is None:
            return
        job, contact_id = self._job, ""
        step = job.steps[0]
        try:
            if answer.error:
                raise MsnpSyntaxError(answer.error)
            if step.which is Lists.FL and step.wanted:
                contact_id = addressbook.read_added(answer.body)
            else:
                addressbook.read_done(answer.body, "contacts")
        except SoapFault as fault:
            number = _FAULTS.get(fault.code, _OTHER_FAULT)
            if number not in _DONE_ALREADY:
                self._failed(number, str(fault), now)
                return
        except MsnpSyntaxError as error:
            self._failed(402, str(error), now)
            return
        if step.which not in {Lists.FL, Lists.AL, Lists.BL}:
            self._done(job, step, contact_id, now)
            return
        payload = lists.announce([(job.passport, step.which)], initial=False)[0]
        name = "ADL" if step.wanted else "RML"

        def told(_: Command, at: float) -> None:
            if turn == self._turn and self._job is job:
                self._done(job, step, contact_id, at)

        self._say(lambda trid: command(name, trid, payload=payload), told)

    # -- ends

    def _failed(self, number: int, name: str, now: float) -> None:
        job = self._job
        assert job is not None
        self._emit(native.RosterEditFailed(account=self._account, passport=job.passport, code=number, name=name))
        text = "The contact list could not be changed."
        retryable = number in codes.RETRYABLE or number == 402
        self._end(results.failed(f"{number} {name}", retryable=retryable, user_text=text), now)

    def _end(self, result: SendResult, now: float) -> None:
        job, self._job = self._job, None
        assert job is not None
        self._turn += 1
        self._due = None
        self._emit(SendDone(key=job.key, result=result))
        self._next(now)

    def next_deadline(self) -> float | None:
        """When `tick` gives up an answer."""
        return self._due

    def tick(self, now: float) -> None:
        """Gives up an answer that does not come."""
        if self._due is not None and self._due <= now and self._job is not None:
            self._end(results.unknown("no answer to an edit of the list"), now)

    def lost(self) -> None:
        """The account is signed off."""
        jobs = [*self._waiting] if self._job is None else [self._job, *self._waiting]
        self._waiting.clear()
        self._job, self._due = None, None
        self._turn += 1
        for job in jobs:
            text = "The connection to the network was lost."
            self._emit(SendDone(key=job.key, result=results.link_down(text)))
