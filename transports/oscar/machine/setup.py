"""What is said on a new connection to BOS or a service, from its food groups to "ready"."""

from __future__ import annotations

from collections.abc import Callable

from transports.oscar.machine import signon
from transports.oscar.machine.actions import Purpose
from transports.oscar.machine.connection import Connection, OnReply
from transports.oscar.machine.pacing import RateTracker
from transports.oscar.machine.roster import RosterState
from transports.oscar.wire import buddy, feedbag, icbm, locate, oservice, privacy
from transports.oscar.wire.codes import BUDDY, FEEDBAG, ICBM, LOCATE, PRIVACY
from transports.oscar.wire.snac import Body
from transports.oscar.wire.tlv import Tlvs, tlv16
from transports.oscar.wire.userinfo import UserInfo

_STATUS_TEXTS_AND_OFFLINE = 3


class Setup:
    """Brings one connection from 01/03 to the point at which 01/02 may be sent.

    Args:
        conn: the connection.
        roster: filled with the list (for BOS).
        margin: of the rate tracker, milliseconds.
        on_limit: told the longest message (04/05).
        on_self: told our own information (01/0F).
        on_done: called when everything has answered.
    """

    __slots__ = ("_conn", "_margin", "_on_done", "_on_limit", "_on_self", "_open", "_roster", "_started")

    def __init__(
        self,
        conn: Connection,
        roster: RosterState,
        *,
        margin: float,
        on_limit: Callable[[int], None],
        on_self: Callable[[UserInfo], None],
        on_done: Callable[[Connection, float], None],
    ) -> None:
        self._conn = conn
        self._roster = roster
        self._margin = margin
        self._on_limit = on_limit
        self._on_self = on_self
        self._on_done = on_done
        self._open = 0
        self._started = False

    def host_online(self, body: oservice.HostOnline, now: float) -> None:
        """01/03: the food groups of this server. What comes a second time changes nothing."""
        if self._started:
            return
        self._started = True
        self._conn.groups = frozenset(body.words)
        self._conn.send_now(signon.versions(self._conn.groups), now)
        self._conn.send_now(oservice.RatesQuery(), now, self._rates)

    def _rates(self, answer: Body, _more: bool, now: float) -> None:
        if isinstance(answer, oservice.RatesReply):
            self._conn.tracker = RateTracker(answer.classes, answer.members, now, self._margin)
            self._conn.send_now(oservice.RatesAccept(self._conn.tracker.class_ids()), now)
        self._ask_all(now)

    def _ask_all(self, now: float) -> None:
        questions: list[tuple[Body, OnReply]] = [(oservice.SelfInfoQuery(), self._self_info)]
        if self._conn.purpose is Purpose.BOS:
            questions += self._bos_questions()
        self._open = len(questions)
        for body, handler in questions:
            self._conn.send_now(body, now, self._counted(handler))

    def _bos_questions(self) -> list[tuple[Body, OnReply]]:
        groups = self._conn.groups
        questions: list[tuple[Body, OnReply]] = []
        if FEEDBAG in groups:
            questions.append((feedbag.RightsQuery(), self._list_rights))
            known = self._roster
            if known.timestamp:
                again = feedbag.ListQueryIfChanged(timestamp=known.timestamp, count=min(len(known.items), 0xFFFF))
                questions.append((again, self._list))
            else:
                questions.append((feedbag.ListQuery(), self._list))
        if LOCATE in groups:
            questions.append((locate.RightsQuery(), _ignore))
        if BUDDY in groups:
            bits = Tlvs([tlv16(buddy.WANT_BITS, _STATUS_TEXTS_AND_OFFLINE)])
            questions.append((buddy.RightsQuery(bits), _ignore))
        if ICBM in groups:
            questions.append((icbm.ParametersQuery(), self._parameters))
        if PRIVACY in groups:
            questions.append((privacy.RightsQuery(), _ignore))
        return questions

    def _counted(self, handler: OnReply) -> OnReply:
        """The same handler, which also counts its question as answered when the last answer has come."""

        def answered(body: Body, more: bool, now: float) -> None:
            try:
                handler(body, more, now)
            finally:
                # an answer that cannot be read is an answer all the same: sign-on goes on
                if not more:
                    self._open -= 1
                    if self._open == 0:
                        self._on_done(self._conn, now)

        return answered

    def _self_info(self, body: Body, _more: bool, _now: float) -> None:
        if isinstance(body, oservice.SelfInfo) and body.users:
            self._on_self(body.users[0])

    def _list_rights(self, body: Body, _more: bool, _now: float) -> None:
        if isinstance(body, feedbag.RightsReply):
            self._roster.rights(body)

    def _list(self, body: Body, more: bool, _now: float) -> None:
        if isinstance(body, feedbag.ListReply):
            self._roster.load(body, more=more)

    def _parameters(self, body: Body, _more: bool, _now: float) -> None:
        if isinstance(body, icbm.ParametersReply):
            self._on_limit(body.max_length)


def _ignore(_: Body, _more: bool, _now: float) -> None:
    """An answer of which only that it came matters."""
