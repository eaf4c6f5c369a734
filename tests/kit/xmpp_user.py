"""Somebody on an XMPP server who is none of ours: slixmpp's client, on an asyncio loop in a thread of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Self
from xml.etree.ElementTree import Element

from slixmpp import ClientXMPP

from tests.kit.daemon import until

SECONDS = 15.0


class XmppUser:
    """A client that keeps every stanza that it is sent; a context manager that is signed on.

    Args:
        jid: its address, with or without a resource.
        password: of the account.
        port: of the server on 127.0.0.1.
        certificate: that vouches for the server.
        agreeable: whether everybody who asks may see them.
    """

    def __init__(self, jid: str, password: str, port: int, certificate: Path, *, agreeable: bool = False) -> None:
        self.agreeable = agreeable
        self.jid, self._password, self._port, self._certificate = jid, password, port, certificate
        self.stanzas: list[Element] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.client: Any = None
        self._up = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._sign_on())
        assert self._up.wait(SECONDS), f"{self.jid} cannot sign on"
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._sign_off())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine on the client's loop to its end."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    async def _sign_on(self) -> None:
        context = ssl.create_default_context(cafile=str(self._certificate))
        self.client = ClientXMPP(self.jid, self._password, ssl_context=context, loop=self._loop)
        self.client.auto_authorize = None
        self.client.auto_subscribe = False
        self.client.add_filter("in", self._keep)
        self.client.add_event_handler("session_start", self._started)
        self.client.connect("127.0.0.1", self._port)

    async def _started(self, _: object) -> None:
        await self.client.get_roster()  # a server tells of subscriptions only who has asked for the list
        self.client.send_presence()
        self._up.set()

    def _keep(self, stanza: Any) -> Any:
        self.stanzas.append(stanza.xml)
        if self.agreeable and stanza.xml.get("type") == "subscribe":
            self.client.send_raw(f"<presence to='{stanza.xml.get('from')}' type='subscribed'/>")
        return stanza

    async def _sign_off(self) -> None:
        await asyncio.wait_for(self.client.disconnect(wait=1.0), SECONDS)
        self.client._run_out_filters.cancel()
        await asyncio.sleep(0)
        self.client = None

    def send(self, xml: str) -> None:
        """Sends a stanza as it is written."""
        self._loop.call_soon_threadsafe(self.client.send_raw, xml)

    def find(self, wanted: Callable[[Element], object], seconds: float = SECONDS, what: str = "a stanza") -> Element:
        """Returns the first stanza that is wanted, of those that came and that come."""
        found: list[Element] = []

        def look() -> bool:
            found.extend([stanza for stanza in list(self.stanzas) if wanted(stanza)][:1])
            return bool(found)

        until(look, seconds, what)
        return found[0]

    def message(self, text: str, seconds: float = SECONDS) -> Element:
        """Returns the message with this text."""
        return self.find(lambda one: one.findtext("{jabber:client}body") == text, seconds, f"the text {text[:40]!r}")
