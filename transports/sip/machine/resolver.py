"""The resolver of RFC 3263 without I/O: questions to DNS out, answers in, and a bounded memory of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from random import Random
from typing import TypeAlias

from transports.sip.machine.flow import Target
from transports.sip.machine.locate import Answer, Kind, Question, Walk, Wanted, is_address
from transports.sip.machine.timers import Timer, TimerQueue
from transports.sip.machine.trunkconfig import ResolverLimits

OnFound: TypeAlias = Callable[[tuple[Target, ...], float], None]
"""Called once with the targets in the order in which they are to be tried; none where there are none."""

FAILED = Answer(failed=True)


class _Search:
    """A walk that waits for answers. What it was told it knows until its end, however short the records live."""

    __slots__ = ("done", "known", "rounds", "waits", "want")

    def __init__(self, want: Wanted, done: OnFound) -> None:
        self.want = want
        self.done = done
        self.known: dict[Question, Answer] = {}
        self.waits: set[Question] = set()
        self.rounds = 0


class Resolver:
    """Finds targets.

    Args:
        queue: for questions that nobody answers.
        random: for weights; not for secrets.
        families: which addresses we can go to, in the order of preference.
        limits: bounds.
    """

    def __init__(
        self, queue: TimerQueue, random: Random, families: tuple[Kind, ...], limits: ResolverLimits | None = None
    ) -> None:
        self._queue = queue
        self._random = random
        self._families = families
        self._limits = limits or ResolverLimits()
        self._cache: OrderedDict[Question, tuple[Answer, float]] = OrderedDict()
        self._asked: dict[Question, list[_Search]] = {}
        self._timers: dict[Question, Timer] = {}
        self._out: list[Question] = []
        self._waiting = 0

    def __len__(self) -> int:
        return len(self._cache)

    @property
    def waiting(self) -> int:
        """How many searches wait for an answer."""
        return self._waiting

    def take(self) -> list[Question]:
        """Returns what is to be asked, and forgets it. Each is to be answered with `answer`."""
        out, self._out = self._out, []
        return out

    def locate(self, want: Wanted, now: float, done: OnFound) -> None:
        """Looks for targets; ``done`` may be called at once."""
        search = _Search(want, done)
        if self._waiting >= self._limits.waiting and not is_address(want.host):
            done((), now)
            return
        self._waiting += 1
        self._go_on(search, now)

    def answer(self, question: Question, answer: Answer, now: float) -> None:
        """Takes an answer. One to a question that is not open is ignored."""
        searches = self._asked.pop(question, None)
        if searches is None:
            return
        self._queue.cancel(self._timers.pop(question))
        self._keep(question, answer, now)
        for search in searches:
            search.known[question] = answer
            search.waits.discard(question)
            if not search.waits:
                self._go_on(search, now)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _go_on(self, search: _Search, now: float) -> None:
        walk = Walk(search.want, partial(self._lookup, search, now), self._random, self._families, self._limits)
        targets = walk.targets()
        search.rounds += 1
        if walk.missing and search.rounds <= self._limits.rounds:
            search.waits = set(walk.missing)
            for question in search.waits:
                self._ask(question, search, now)
            return
        self._waiting -= 1
        search.done(() if walk.missing else tuple(targets), now)

    def _lookup(self, search: _Search, now: float, question: Question) -> Answer | None:
        known = search.known.get(question)
        if known is not None:
            return known
        kept = self._cache.get(question)
        if kept is None:
            return None
        if kept[1] <= now:
            del self._cache[question]
            return None
        self._cache.move_to_end(question)
        search.known[question] = kept[0]
        return kept[0]

    def _ask(self, question: Question, search: _Search, now: float) -> None:
        searches = self._asked.get(question)
        if searches is not None:
            searches.append(search)
            return
        self._asked[question] = [search]
        self._out.append(question)
        within = self._limits.answer_within
        self._timers[question] = self._queue.after(now, within, lambda at: self.answer(question, FAILED, at))

    def _keep(self, question: Question, answer: Answer, now: float) -> None:
        limits = self._limits
        if answer.failed:
            ttl = limits.failure_ttl
        elif answer.records:
            ttl = min(answer.ttl or 0.0, limits.longest_ttl)
        else:
            ttl = min(limits.negative_ttl if answer.ttl is None else answer.ttl, limits.longest_negative_ttl)
        if ttl <= 0:
            return
        self._cache[question] = (answer, now + ttl)
        self._cache.move_to_end(question)
        if len(self._cache) > limits.entries:
            self._cache.popitem(last=False)
