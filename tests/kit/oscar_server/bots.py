"""Somebody who is always there: a bot inside the server, without a connection."""

from __future__ import annotations

import secrets

from tests.kit.oscar_server.accounts import Account, AccountsError
from tests.kit.oscar_server.messages import relay
from tests.kit.oscar_server.network import Network
from tests.kit.oscar_server.residents import Resident
from transports.oscar.wire import icbm
from transports.oscar.wire.names import normal
from transports.oscar.wire.snac import FROM_SERVER, Body
from transports.oscar.wire.tlv import Tlvs

KINDS = ("echo", "sink")


class Bot(Resident):
    """Takes messages; an ``echo`` sends each one back, a ``sink`` keeps silence."""

    def __init__(self, network: Network, account: Account, kind: str) -> None:
        super().__init__(account, network.now())
        self.network = network
        self.kind = kind
        self.received = 0

    def deliver(self, body: Body, request_id: int = FROM_SERVER, *, flags: int = 0, extra: Tlvs | None = None) -> None:
        """Take a SNAC; messages that are not automatic are answered."""
        if not isinstance(body, icbm.IncomingMessage):
            return
        self.received += 1
        text = body.tlvs.get(icbm.TLV_TEXT)
        # two echoes would talk for ever
        among_bots = isinstance(self.network.residents.get(normal(body.sender.name)), Bot)
        if self.kind != "echo" or among_bots or text is None or body.tlvs.has(icbm.TLV_AUTO_RESPONSE):
            return
        back = icbm.SendMessage(
            cookie=secrets.token_bytes(icbm.COOKIE_SIZE),
            channel=body.channel,
            to=body.sender.name,
            tlvs=Tlvs([(icbm.TLV_TEXT, text)]),
        )
        relay(self.network, self, back)


def start_bot(network: Network, argument: str) -> Bot:
    """``NAME=echo`` or ``NAME=sink``: makes the account if need be. Raises `AccountsError`."""
    name, separator, kind = argument.partition("=")
    if not separator or kind not in KINDS:
        raise AccountsError(f"--bot {argument!r}: must be NAME={'|'.join(KINDS)}")
    account = network.accounts.find(name)
    if account is None:
        account = network.accounts.add(name, secrets.token_hex(8), where=f"--bot {name}")
    bot = Bot(network, account, kind)
    if bot.name in network.residents:
        raise AccountsError(f"--bot {name!r}: is there already")
    network.residents[bot.name] = bot
    network.went_online(bot)
    return bot
