"""The sign-on of versions 15 and 16 with the whole daemon: a web server gives the token."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.integration.wire import Phone
from tests.kit.daemon import Person, until
from tests.kit.yahoo import ALICE, FRIEND, YAHOO_DOMAIN, link_states, yahoo_world

OWN = "alicework"


class Tokens(BaseHTTPRequestHandler):
    """Gives a token for the password ``a``, and cookies for the token."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if parts.path == "/config/pwtoken_get":
            right = query["login"] == [OWN] and query["passwd"] == ["a"]
            body = "0\r\nymsgr=T0KEN\r\npartnerid=x\r\n" if right else "1212\r\n"
        else:
            right = query["token"] == ["T0KEN"]
            body = "0\r\ncrumb=CRUMB\r\nY=v=1; path=/\r\nT=z=2; path=/\r\n" if right else "100\r\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def token_server() -> Iterator[str]:
    """A web server of loopback; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tokens)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/config"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_sign_on_with_a_token() -> None:
    """The server gives session ids, too, and takes no packet without."""
    wants = {"method": 2, "crumb": "CRUMB", "session_ids": True}
    with (
        token_server() as address,
        yahoo_world([ALICE], network=f'version = 16\ntoken_server = "{address}"', server_is=wants) as world,
        Phone(world.bridge, "alice") as alice,
    ):
        assert alice.register().status == 200
        assert alice.message(f"{FRIEND}@{YAHOO_DOMAIN}", "with a token").status == 202
        world.friend.heard(OWN, "with a token", timeout=20.0)
        assert world.server.strangers() == 0


def test_a_wrong_password_at_the_token_server() -> None:
    wrong = Person(user="alice", names={"yahoo": (OWN, "wrong")})
    with (
        token_server() as address,
        yahoo_world(
            [wrong], network=f'version = 16\ntoken_server = "{address}"', server_is={"method": 2}, up=False
        ) as world,
        Phone(world.bridge, "alice") as alice,
    ):
        assert alice.register().status == 200
        until(lambda: link_states(world.bridge).get(OWN) == "auth-failed", 20.0, "the refusal")
        sender, text = alice.text(15.0)
        assert sender.startswith("simplebridge@")
        assert "wrong Yahoo! ID or password" in text
