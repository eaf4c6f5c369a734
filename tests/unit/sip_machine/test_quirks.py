"""Each row of the table of what clients do, by its effect; the User-Agents are as they are on the wire."""

import re

import pytest

from bridge.app.quirksection import challenge_rules
from tests.kit.sip import DOMAIN, Client, make_endpoint
from tests.unit.sip_machine.test_abilities import CPIM, HTML, IMDN, PLAIN, TYPING, Mailbox, _client, _message
from tests.unit.sip_machine.test_registrar import Store
from transports.sip.machine.abilities import LEARNABLE, Abilities
from transports.sip.machine.config import AuthConfig
from transports.sip.machine.quirks import BUILT_IN, DEFAULT, NONE, Quirk, Quirks
from transports.sip.wire.message import Request

LINPHONE = "Linphonec/5.1.65"
BARESIP = "baresip v1.0.0 (x86_64/linux)"
MICROSIP = "MicroSIP/3.21.3"
PJSUA = "PJSUA v2.12 Linux-5.10/x86_64/glibc-2.31"
JSSIP = "JsSIP 3.10.1"
SIPJS = "SIP.js/0.21.2 tester"
JITSI = "Jitsi2.10.5550Linux"
PIDGIN = "Purple/2.14.12"
BLINK = "Blink Pro 5.9.1 (Linux)"
SNOM = "snom720/8.7.5.35"
ROWS = {
    "linphone": LINPHONE, "baresip": BARESIP, "pjsip": MICROSIP, "browser": JSSIP, "jitsi": JITSI,
    "libpurple": PIDGIN, "blink": BLINK, "desk-phone": SNOM,
}  # fmt: skip


@pytest.mark.parametrize("row", BUILT_IN, ids=lambda row: row.name)
def test_each_row_has_a_reason_and_its_own_client(row: Quirk) -> None:
    assert len(row.reason) > 20
    assert DEFAULT.of(ROWS[row.name]) is row
    assert (row.takes | row.refuses) <= LEARNABLE
    assert not row.takes & row.refuses
    assert [name for name, agent in ROWS.items() if row.user_agent.search(agent)] == [row.name]


@pytest.mark.parametrize("agent", ["", "Zoiper rv2", "not Linphone", "sipp"])
def test_of_others_nothing_is_known(agent: str) -> None:
    assert DEFAULT.of(agent) is NONE
    assert DEFAULT.of(None) is NONE


@pytest.mark.parametrize(
    ("agent", "text", "receipts", "typing"),
    [
        (LINPHONE, [PLAIN], [CPIM], [TYPING]),
        (BARESIP, [PLAIN], [], []),
        (MICROSIP, [PLAIN], [], [TYPING]),
        (PJSUA, [PLAIN], [], [TYPING]),
        (JSSIP, [PLAIN], [], [TYPING]),
        (SIPJS, [PLAIN], [], [TYPING]),
        (JITSI, [HTML], [], [TYPING]),
        (PIDGIN, [HTML], [], [TYPING]),
        (BLINK, [HTML], [CPIM], [TYPING]),
        (SNOM, [PLAIN], [], []),
        (None, [HTML], [CPIM], [TYPING]),
    ],
)
def test_what_each_client_is_sent(agent: str | None, text: list[str], receipts: list[str], typing: list[str]) -> None:
    """A text with formatting, a receipt and a typing notice: what goes out, and that nothing is refused."""
    box = Mailbox(_client(agent))
    assert box.kinds(HTML, PLAIN) == text
    assert box.kinds(CPIM, IMDN) == receipts
    assert box.typing() == typing


@pytest.mark.parametrize(
    ("agent", "kinds"),
    [(LINPHONE, [CPIM]), (BLINK, [CPIM]), *[(agent, [PLAIN]) for agent in (BARESIP, MICROSIP, JSSIP, JITSI, SNOM)]],
)
def test_who_is_asked_for_receipts_in_cpim(agent: str, kinds: list[str]) -> None:
    assert Mailbox(_client(agent)).kinds(CPIM, PLAIN) == kinds


def test_pjsip_is_sent_no_packet_that_it_throws_away() -> None:
    """It reads 4000 bytes, also over a connection; the text is cut to what goes."""
    client = _client(MICROSIP, transport="tcp")
    room = client.endpoint.max_body(f"alice@{DOMAIN}")
    assert 3000 <= room < 4000
    assert _client(None, transport="tcp").endpoint.max_body(f"alice@{DOMAIN}") == 65_536
    client.endpoint.send_message(_message(PLAIN, text=b"x" * room), "k", 1.0)
    (request,) = [message for message in client.take(1.0) if isinstance(message, Request)]
    assert len(request.to_bytes()) <= 4000
    client.endpoint.send_message(_message(PLAIN, text=b"x" * 4000), "k2", 1.0)
    assert client.take(1.0) == []


def _challenges(agent: str, configured: tuple[str, ...]) -> list[str]:
    client = Client(make_endpoint(auth=AuthConfig(challenges=challenge_rules(configured, DEFAULT))), "alice")
    headers = [("Contact", f"<{client.contact}>"), ("User-Agent", agent)]
    (response,) = client.deliver(client.request("REGISTER", f"sip:{DOMAIN}", headers), 0.0)
    lines = response.lines("WWW-Authenticate")
    return [match[1] for line in lines if (match := re.search("algorithm=([^,]+)", line))]


@pytest.mark.parametrize(
    ("agent", "offered"),
    [
        (JSSIP, ["MD5"]),
        (SIPJS, ["MD5"]),
        (BARESIP, ["MD5"]),
        (LINPHONE, ["SHA-256", "MD5"]),
        (MICROSIP, ["SHA-256", "MD5"]),
    ],
)
def test_who_is_challenged_with_what(agent: str, offered: list[str]) -> None:
    """JsSIP and SIP.js read the first challenge alone, and baresip fails with two."""
    assert _challenges(agent, ("SHA-256", "MD5")) == offered


@pytest.mark.parametrize("agent", [JSSIP, BARESIP])
def test_no_name_gets_anybody_a_weaker_challenge_than_is_allowed(agent: str) -> None:
    assert _challenges(agent, ("SHA-256",)) == ["SHA-256"]


def test_rows_are_joined_and_replaced() -> None:
    mine = Quirk(name="mine", user_agent=re.compile("Linphone.*Pro"), reason="x" * 30, refuses=frozenset({CPIM}))
    both = Quirks((*BUILT_IN, mine)).of("LinphonePro")
    assert (both.name, both.event_in_capitals) == ("linphone+mine", True)
    assert CPIM in both.refuses
    assert CPIM not in both.takes
    assert IMDN in both.takes
    other = Quirk(name="linphone", user_agent=re.compile("Linphone"), reason="x" * 30, takes=frozenset({HTML}))
    assert Quirks((*BUILT_IN, other)).of(LINPHONE) is other
    small = Quirk(
        name="small", user_agent=re.compile("MicroSIP"), reason="x" * 30, max_message=2000, one_at_a_time=True
    )
    joined = Quirks((*BUILT_IN, small)).of(MICROSIP)
    assert (joined.max_message, joined.one_at_a_time) == (2000, True)


def test_what_is_remembered_of_user_agents_is_bounded() -> None:
    quirks = Quirks()
    for number in range(20_000):
        quirks.of(f"x{number}")
    assert len(quirks._of.table) <= quirks._of.limit


def test_a_registration_that_is_read_back_has_its_row() -> None:
    """What was learnt is gone with the process, what is known of its kind is not."""
    store = Store()
    client = Client(make_endpoint(bindings=store), "alice")
    client.register(0.0, 3600, ("User-Agent", LINPHONE))
    again = make_endpoint(bindings=store, now=1.0)
    (binding,) = again.registrar.contacts(f"alice@{DOMAIN}")
    assert isinstance(binding.abilities, Abilities)
    assert binding.abilities.quirk.name == "linphone"
