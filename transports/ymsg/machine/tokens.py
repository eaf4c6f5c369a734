"""Gets a token and cookies from the web server for one sign-on: two requests, each on a connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from transports.ymsg.machine.config import TokenServer
from transports.ymsg.wire.errors import YmsgSyntaxError
from transports.ymsg.wire.http import Response, read_response, request
from transports.ymsg.wire.token import (
    MAX_ANSWER,
    Cookies,
    Refused,
    cookies_url,
    read_cookies,
    read_token,
    token_url,
)

AGENT = "Mozilla/5.0"
_OK = 200


class TokenFetch:
    """The two requests.

    Args:
        server: who gives tokens.
        name: our Yahoo! ID.
        password: of it.
        challenge: what the answer is for.
        connect: opens a connection to the server and gives its id.

    Attributes:
        conn_id: the connection of the request under way.
        outcome: the cookies, or a refusal, once known.
    """

    def __init__(
        self, server: TokenServer, name: str, password: str, challenge: str, connect: Callable[[], int]
    ) -> None:
        self._server = server
        self._connect = connect
        self._token: str | None = None
        self._buffer = bytearray()
        scheme = "https" if server.tls else "http"
        self._base = f"{scheme}://{server.host}:{server.port}{server.path}"
        self._url = token_url(self._base, name, password, challenge)
        self.outcome: Cookies | Refused | None = None
        self.conn_id = connect()

    def connected(self) -> bytes:
        """The connection stands: what is to be written. Raises `YmsgSyntaxError` where it cannot be."""
        parts = urlsplit(self._url)
        return request(parts.netloc, f"{parts.path}?{parts.query}", AGENT)

    def received(self, data: bytes, *, closed: bool) -> None:
        """Bytes have come, or the server has closed. Raises `YmsgSyntaxError` where the answer is none."""
        self._buffer += data
        answer = read_response(bytes(self._buffer), MAX_ANSWER, closed=closed)
        if answer is not None:
            self._answer(answer)

    def _answer(self, answer: Response) -> None:
        if answer.status != _OK:
            raise YmsgSyntaxError(f"the token server answers {answer.status}")
        self._buffer.clear()
        if self._token is not None:
            self.outcome = read_cookies(answer.body)
            return
        token = read_token(answer.body)
        if isinstance(token, Refused):
            self.outcome = token
            return
        self._token = token
        self._url = cookies_url(self._base, token)
        self.conn_id = self._connect()
