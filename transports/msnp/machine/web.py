"""Questions to web servers: who waits for which answer, and which servers may be asked at all."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from transports.msnp.machine.actions import Fetched
from transports.msnp.machine.connections import Connections
from transports.msnp.wire.errors import MsnpSyntaxError

Answered = Callable[[Fetched, float], None]


def trusted(url: str) -> bool:
    """Whether a password may go there: https, or a server of this very machine (for trials)."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return bool(host)
        return parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False


class Web:
    """The questions of one sign-on; `forget` ends it, and answers that come later are nobody's."""

    def __init__(self, conns: Connections) -> None:
        self._conns = conns
        self._waiting: dict[int, Answered] = {}

    def get(self, url: str, headers: tuple[tuple[str, str], ...], on_answer: Answered) -> None:
        """Asks. Raises `MsnpSyntaxError` where the server is not to be trusted."""
        self._ask(url, headers, None, on_answer)

    def soap(self, url: str, action: str, body: bytes, on_answer: Answered) -> None:
        """Calls a SOAP service. Raises `MsnpSyntaxError` where the server is not to be trusted."""
        headers = [("Content-Type", "text/xml; charset=utf-8"), ("Accept", "text/*")]
        if action:
            headers.append(("SOAPAction", f'"{action}"'))
        self._ask(url, tuple(headers), body, on_answer)

    def _ask(self, url: str, headers: tuple[tuple[str, str], ...], body: bytes | None, on_answer: Answered) -> None:
        if not trusted(url):
            shown = url.partition("?")[0][:100]
            raise MsnpSyntaxError(f"{shown!a} is neither https nor on this machine: nothing is told to it")
        self._waiting[self._conns.fetch(url, headers, body)] = on_answer

    def fetched(self, fetch_id: int, answer: Fetched, now: float) -> None:
        """An answer has come, or will not come."""
        on_answer = self._waiting.pop(fetch_id, None)
        if on_answer is not None:
            on_answer(answer, now)

    def forget(self) -> None:
        """The sign-on is over."""
        self._waiting.clear()
