"""``[[sip.trusted_peers]]`` and ``[[sip.routes]]``: what they mean, and what is wrong with them in one line."""

from pathlib import Path

import pytest

from bridge.app.config import ConfigError, parse
from bridge.app.home import Home
from bridge.app.sipconfig import endpoint_config
from bridge.model.address import Address
from bridge.model.ids import SIP, RemoteUserId
from mappings.identity import AddressError
from transports.sip.machine.trunkconfig import Peer, TrunkConfig

BASE = '[bridge]\ndomain = "corp.example"\n'
NETWORK = '[networks.aim]\nkind = "oscar"\ndomain = "aim.corp.example"\nserver = "127.0.0.1:5190"\n'
PEER = '[[sip.trusted_peers]]\naddress = "127.0.0.1:5070"\n'
TLS = '[sip]\nlisten = ["udp:127.0.0.1:5060", "tls:127.0.0.1:5061"]\nauthorities = "ca.pem"\n'
PATH = Path("/etc/bridge/some.toml")


def trunks(text: str) -> TrunkConfig:
    return endpoint_config(parse(BASE + text, PATH)).trunks


def test_without_any_there_is_nothing() -> None:
    assert not trunks("").on
    rules = Home(parse(BASE, PATH)).rules()
    assert (rules.accounts_required, rules.foreign_sip) == (True, False)


def test_the_least_of_a_peer() -> None:
    """As the surface has it."""
    assert trunks(PEER + 'transport = "tcp"\n').peers == (
        Peer(name="127.0.0.1:5070", host="127.0.0.1", port=5070, transport="tcp", domains=("corp.example",)),
    )
    rules = Home(parse(BASE + PEER, PATH)).rules()
    assert (rules.accounts_required, rules.foreign_sip) == (False, False)


def test_all_of_a_peer() -> None:
    peer = (
        '[[sip.trusted_peers]]\naddress = "pbx.corp.example"\ntransport = "tls"\nname = "pbx"\nping = 0\n'
        'certificate = "pbx.corp.example"\ndomains = ["corp.example", "partner.example"]\nidentity = "asserted"\n'
        "any_port = true\nregistrar = false\n"
    )
    found = trunks(TLS + peer).peers[0]
    assert found == Peer(
        name="pbx", host="pbx.corp.example", port=None, transport="tls", certificate="pbx.corp.example",
        domains=("corp.example", "partner.example"), asserted_only=True, any_port=True, registrar=False, ping=0.0,
    )  # fmt: skip
    home = Home(parse(BASE + TLS + peer, PATH))
    assert home.config.sip.authorities == Path("/etc/bridge/ca.pem")
    assert (home.rules().accounts_required, home.rules().foreign_sip) == (True, True)


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("[::1]:5070", "::1", 5070),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("pbx", "pbx", None),
        ("10.0.0.1:1", "10.0.0.1", 1),
    ],
)
def test_addresses(address: str, host: str, port: int | None) -> None:
    (peer,) = trunks(f'[[sip.trusted_peers]]\naddress = "{address}"\n').peers
    assert (peer.host, peer.port, peer.name) == (host, port, address)


def test_routes() -> None:
    text = PEER + 'name = "pbx"\n'
    for domain, hop in (("a.example", "pbx"), ("b.example", "sip:192.0.2.1:5080;transport=tcp;lr"), ("c.example", "")):
        text += f'[[sip.routes]]\ndomain = "{domain}"\n' + (f'next_hop = "{hop}"\n' if hop else "")
    config = trunks('[sip]\noutbound_proxy = "sip:proxy.example"\n' + text)
    assert [(route.domain, route.peer, str(route.next_hop or "")) for route in config.routes] == [
        ("a.example", "pbx", ""),
        ("b.example", "", "sip:192.0.2.1:5080;transport=tcp;lr"),
        ("c.example", "", ""),
    ]
    assert str(config.outbound_proxy) == "sip:proxy.example"


def test_other_domains_are_addresses_only_where_they_are_routed() -> None:
    home = Home(parse(BASE + NETWORK + '[[sip.routes]]\ndomain = "partner.example"\n', PATH))
    book = home.addresses()
    assert book.from_uri("sip:zoe@partner.example") == Address(network=SIP, user=RemoteUserId("zoe@partner.example"))
    with pytest.raises(AddressError):
        book.from_uri("sip:zoe@elsewhere.example")
    with pytest.raises(AddressError):
        Home(parse(BASE + NETWORK, PATH)).addresses().from_uri("sip:zoe@partner.example")


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("[sip]\ntrusted_peers = 5\n", ":4: sip.trusted_peers: ", "must be a list"),
        ('[sip]\ntrusted_peers = ["x"]\n', ":4: sip.trusted_peers.0: ", "must be a table"),
        ("[[sip.trusted_peers]]\n", "sip.trusted_peers.0.address: ", "is missing"),
        (PEER + "colour = 3\n", ":5: sip.trusted_peers.0.colour: ", "not a key of this table; known are address"),
        (PEER + PEER + 'name = "x"\nports = 3\n', ":8: sip.trusted_peers.1.ports: ", "not a key of this table"),
        ('[[sip.trusted_peers]]\naddress = "a:b:c"\n', ":4: sip.trusted_peers.0.address: ", "in brackets"),
        (
            '[[sip.trusted_peers]]\naddress = "a b"\n',
            ":4: sip.trusted_peers.0.address: ",
            "nor a host",
        ),
        (
            '[[sip.trusted_peers]]\naddress = "h:0"\n',
            ":4: sip.trusted_peers.0.address: ",
            "nor a host",
        ),
        (
            '[[sip.trusted_peers]]\naddress = "[::1]:5070"\ntransport = "udp"\n',
            ":4: sip.trusted_peers.0.address: ",
            "listener of IPv6",
        ),
        (PEER + 'transport = "sctp"\n', ":5: sip.trusted_peers.0.transport: ", "not one of"),
        (PEER + 'transport = "tls"\n', ":5: sip.trusted_peers.0.transport: ", "no tls: listener"),
        (PEER + 'certificate = "a.b"\n', ":5: sip.trusted_peers.0.certificate: ", 'transport = "tls" alone'),
        (
            '[sip]\nlisten = ["tls:127.0.0.1:5061"]\n' + PEER + 'transport = "tls"\ncertificate = "a.b"\n',
            ":8: sip.trusted_peers.0.certificate: ",
            "sip.authorities must name",
        ),
        (PEER + 'certificate = "*.b"\n', ":5: sip.trusted_peers.0.certificate: ", "not a domain name"),
        (PEER + 'domains = ["Corp"]\n', ":5: sip.trusted_peers.0.domains: ", "lower case"),
        (PEER + 'identity = "from"\n', ":5: sip.trusted_peers.0.identity: ", "not one of"),
        (PEER + "ping = 0.5\n", ":5: sip.trusted_peers.0.ping: ", "1 at least"),
        (PEER + "ping = -1\n", ":5: sip.trusted_peers.0.ping: ", "between 0"),
        (PEER + PEER, "sip.trusted_peers.1.name: ", "stands there twice"),
        (NETWORK + PEER + 'domains = ["aim.corp.example"]\n', "sip.trusted_peers.0.domains: ", "networks.aim.domain"),
        (NETWORK + '[[sip.routes]]\ndomain = "aim.corp.example"\n', "sip.routes.0.domain: ", "networks.aim.domain"),
        ('[[sip.routes]]\ndomain = "a.b"\nnext_hop = "pbx"\n', ":5: sip.routes.0.next_hop: ", "neither a trusted peer"),
        ('[[sip.routes]]\ndomain = "a.b"\nnext_hop = "sip:u@h"\n', ":5: sip.routes.0.next_hop: ", "of a server"),
        ('[[sip.routes]]\ndomain = "a.b"\nnext_hop = "sips:h"\n', ":5: sip.routes.0.next_hop: ", "listener to reach"),
        (
            '[[sip.routes]]\ndomain = "a.b"\nnext_hop = "sip:h;transport=ws"\n',
            "sip.routes.0.next_hop: ",
            "udp, tcp or tls",
        ),
        ('[sip]\noutbound_proxy = "tel:1"\n', ":4: sip.outbound_proxy: ", "of a server"),
        ('[sip]\ndns_servers = ["1.1.1.1"]\n', ":4: sip.dns_servers: ", "host:port"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, where: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Home(parse(BASE + text, PATH))
    message = str(caught.value)
    assert where in message, message
    assert what in message, message
    assert message.isprintable()


def test_what_a_peer_asks_for_and_whom_it_shows(tmp_path: Path) -> None:
    password = tmp_path / "pbx"
    password.touch(mode=0o600)
    password.write_text("s3cret: with \u00fc\nsecond line\n", "utf-8")
    text = PEER + 'user = "bridge"\npassword_file = "pbx"\nwatch_as = "bridge@corp.example"\n'
    config = parse(BASE + text, tmp_path / "some.toml")
    (peer,) = endpoint_config(config).trunks.peers
    assert (peer.user, peer.password, peer.watch_as) == ("bridge", "s3cret: with \u00fc", "bridge@corp.example")
    route = PEER + '[[sip.routes]]\ndomain = "partner.example"\nwatch = true\n'
    assert [one.watch for one in trunks(route).routes] == [True]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (PEER + 'user = "x"\n', "some.toml:5: sip.trusted_peers.0.user: user and password_file are given together"),
        (PEER + 'user = "a:b"\npassword_file = "f"\n', "sip.trusted_peers.0.user: must be 255 printable"),
        (PEER + 'watch_as = "bridge"\n', "sip.trusted_peers.0.watch_as: not an address user@domain"),
        (PEER + 'watch_as = "b@partner.example"\n', "sip.trusted_peers.0.watch_as: not an address of corp.example"),
        (PEER + 'registrar = false\nwatch_as = "b@corp.example"\n', "watch_as: nobody is looked for at a peer with"),
    ],
)
def test_what_does_not_fit_of_it(text: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        trunks(text)
    assert line in str(caught.value)


@pytest.mark.parametrize(
    ("content", "mode", "what"),
    [
        (None, 0o600, "No such file"), (b"secret\n", 0o644, "mode 0644 lets others in"),
        (b"", 0o600, "its first line is no password"), (b"\xff\n", 0o600, "not UTF-8"),
        (b"a" * 2000, 0o600, "its first line is no password"),
    ],
)  # fmt: skip
def test_a_password_file_that_cannot_be_used(tmp_path: Path, content: bytes | None, mode: int, what: str) -> None:
    if content is not None:
        (tmp_path / "pbx").write_bytes(content)
        (tmp_path / "pbx").chmod(mode)
    config = parse(BASE + PEER + 'user = "bridge"\npassword_file = "pbx"\n', tmp_path / "some.toml")
    with pytest.raises(ConfigError) as caught:
        endpoint_config(config)
    assert "sip.trusted_peers.0.password_file: " in str(caught.value)
    assert what in str(caught.value)
    assert "secret" not in str(caught.value)
