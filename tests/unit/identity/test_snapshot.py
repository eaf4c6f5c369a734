"""Who is who now, and which way leads from one to the other."""

import pytest
from attrs import evolve

from bridge.identity.bindings import Binding
from bridge.identity.changes import (
    AddUser,
    BindName,
    DisableUser,
    EnableUser,
    RemoveUser,
    SetGroups,
    SetPassword,
    UnbindName,
)
from bridge.identity.secret import Secret
from bridge.identity.snapshot import IdentitySnapshot, NoRoute, Route, delta
from bridge.model.address import Address
from bridge.model.envelope import Direction, Origin
from bridge.model.ids import SIP, NetworkId, RemoteUserId
from tests.unit.identity.given import (
    AIM,
    ALICE,
    BOB,
    CAROL,
    MSN,
    OPEN_RULES,
    RULES,
    STAFF,
    aim,
    origin,
    sip,
    snapshot,
)

NOW = snapshot()
OUTSIDE = aim("theboogyman")


def way(who: IdentitySnapshot, sender: Address, recipient: Address) -> Route:
    found = who.route(origin(sender), sender, recipient)
    assert isinstance(found, Route), found
    return found


def refusal(who: IdentitySnapshot, sender: Address, recipient: Address) -> NoRoute:
    found = who.route(origin(sender), sender, recipient)
    assert isinstance(found, NoRoute), found
    return found


def test_a_person_is_behind_every_spelling_of_every_address() -> None:
    for user in ("alice@corp.example", "Alice@CORP.example"):
        assert NOW.person_of(sip(user)) == ALICE
        assert NOW.colleague(sip(user)) == ALICE
    for name in ("aliceatwork", "Alice at Work"):
        assert NOW.person_of(aim(name)) == ALICE


@pytest.mark.parametrize(
    "address",
    [
        sip("dave@corp.example"),
        sip("alice@other.example"),
        sip("no address"),
        aim("someone"),
        aim("\x00"),
        Address(network=NetworkId("nonet"), user=RemoteUserId("aliceatwork")),
        Address(network=MSN, user=RemoteUserId("aliceatwork")),
    ],
)
def test_no_one_is_behind_other_addresses(address: Address) -> None:
    assert NOW.person_of(address) is None


def test_the_binding_of_a_name() -> None:
    for name in ("bob99", "BOB 99"):
        binding = NOW.binding_of(aim(name))
        assert binding is not None
        assert (binding.person, binding.primary, binding.credential) == (BOB, True, None)
    assert NOW.binding_of(aim("someone")) is None
    assert NOW.binding_of(sip(BOB)) is None


def test_the_primary_name_sends() -> None:
    two = snapshot(BindName(address=ALICE, network=AIM, name="second"))
    first = two.account_of(ALICE, AIM)
    assert first is not None
    assert (first.account, first.address, first.shown) == ("aliceatwork", aim("aliceatwork"), "Alice At Work")
    assert [binding.name for binding in two.names_of(ALICE)] == ["aliceatwork", "second"]
    assert two.account_of(ALICE, MSN) is None
    assert two.account_of(CAROL, AIM) is None
    changed = snapshot(BindName(address=ALICE, network=AIM, name="second", primary=True))
    sends = changed.account_of(ALICE, AIM)
    assert sends is not None
    assert sends.name == "second"


def test_accounts_and_groups() -> None:
    who = snapshot(SetGroups(address=ALICE, groups=frozenset({"sales"})))
    assert who.groups_of(ALICE) == {"sales"}
    assert who.groups_of(BOB) == frozenset()
    account = who.sip_account("ALICE@corp.example")
    assert account is not None
    assert account is who.sip_account(ALICE)
    assert who.sip_account("dave@corp.example") is None
    assert who.sip_account("nonsense") is None
    assert {account.address for account in who.accounts()} == {ALICE, BOB, CAROL}
    assert who.version == 6


def test_a_name_is_bound_once() -> None:
    binding = Binding(person=ALICE, network=AIM, name=RemoteUserId("x"), shown="x", since=0.0, primary=True)
    other = evolve(binding, name=RemoteUserId("y"))
    for twice in ([binding, binding], [binding, other]):
        with pytest.raises(ValueError, match=r"bound twice|two primary"):
            IdentitySnapshot(version=1, rules=RULES, accounts=(), bindings=twice, groups={})


# --- ways


def test_out() -> None:
    route = way(NOW, sip(ALICE), aim("The Boogy Man"))
    assert (route.direction, route.account) == (Direction.OUTBOUND, "aliceatwork")
    assert (route.sender.address, route.sender.person) == (sip(ALICE), ALICE)
    assert (route.recipient.address, route.recipient.person) == (OUTSIDE, None)


def test_in() -> None:
    route = way(NOW, OUTSIDE, aim("aliceatwork"))
    assert (route.direction, route.account) == (Direction.INBOUND, ALICE)
    assert (route.sender.address, route.sender.person) == (OUTSIDE, None)
    assert (route.recipient.address, route.recipient.person) == (sip(ALICE), ALICE)


def test_in_to_an_address_that_is_translated_already() -> None:
    assert way(NOW, OUTSIDE, sip(ALICE)).recipient.person == ALICE
    assert refusal(NOW, OUTSIDE, sip(CAROL)).code == "no-binding"


def test_inside() -> None:
    route = way(NOW, sip("Alice@corp.example"), sip("BOB@corp.example"))
    assert route.direction is Direction.INTERNAL
    assert (route.sender.address, route.recipient.address) == (sip(ALICE), sip(BOB))


def test_a_screen_name_of_a_colleague_is_reached_inside() -> None:
    for sender in (ALICE, CAROL):  # a name of one's own is not needed for it
        route = way(NOW, sip(sender), aim("Bob 99"))
        assert route.direction is Direction.INTERNAL
        assert (route.recipient.address, route.recipient.person) == (sip(BOB), BOB)
        assert route.account == sender


def test_a_colleague_who_writes_from_outside_is_known() -> None:
    route = way(NOW, aim("bob99"), aim("aliceatwork"))
    assert (route.direction, route.sender.person, route.sender.address) == (Direction.INBOUND, BOB, aim("bob99"))


def test_without_a_name_no_one_sends_or_receives() -> None:
    out = refusal(NOW, sip(CAROL), OUTSIDE)
    assert (out.code, out.direction, out.sender.person) == ("no-binding", Direction.OUTBOUND, CAROL)
    into = refusal(NOW, OUTSIDE, aim("carolatwork"))
    assert (into.code, into.direction) == ("no-binding", Direction.INBOUND)
    unbound = snapshot(UnbindName(network=AIM, name="Alice At Work"))
    assert refusal(unbound, sip(ALICE), OUTSIDE).code == "no-binding"
    assert refusal(unbound, OUTSIDE, aim("aliceatwork")).code == "no-binding"


def test_who_is_disabled_neither_sends_nor_receives() -> None:
    who = snapshot(DisableUser(address=BOB))
    assert refusal(who, sip(BOB), OUTSIDE).code == "forbidden"
    assert refusal(who, aim("bob99"), aim("aliceatwork")).code == "forbidden"
    assert refusal(who, OUTSIDE, aim("bob99")).code == "not-found"
    assert refusal(who, sip(ALICE), sip(BOB)).code == "not-found"
    # and a message to a leaver's screen name does not leave the company
    gone = refusal(who, sip(ALICE), aim("bob99"))
    assert (gone.code, gone.direction, gone.recipient.person) == ("not-found", Direction.INTERNAL, BOB)
    assert way(snapshot(DisableUser(address=BOB), EnableUser(address=BOB)), sip(BOB), OUTSIDE).sender.person == BOB


def test_senders_that_are_not_ours() -> None:
    for user in ("dave@corp.example", "alice@other.example", "nonsense"):
        found = refusal(NOW, sip(user), sip(ALICE))
        assert (found.code, found.direction) == ("forbidden", Direction.INBOUND)


def test_a_sender_is_who_signed_on() -> None:
    found = NOW.route(Origin(network=SIP, account="bob@corp.example"), sip(ALICE), OUTSIDE)
    assert isinstance(found, NoRoute)
    assert (found.code, found.reason) == ("forbidden", "the sender is not who signed on")
    assert isinstance(NOW.route(Origin(network=SIP, account="Alice@Corp.example"), sip(ALICE), OUTSIDE), Route)


def test_a_sender_is_of_the_network_it_came_from() -> None:
    found = NOW.route(Origin(network=AIM, account="aliceatwork"), sip(BOB), sip(ALICE))
    assert isinstance(found, NoRoute)
    assert found.code == "bad-request"


def test_recipients_that_do_not_exist() -> None:
    for user in ("dave@corp.example", "friend@other.example"):
        assert refusal(NOW, sip(ALICE), sip(user)).code == "not-found"
    assert refusal(NOW, sip(ALICE), sip("nonsense")).code == "bad-request"
    no_name = refusal(NOW, sip(ALICE), Address(network=MSN, user=RemoteUserId("friend")))
    assert (no_name.code, no_name.reason) == ("bad-request", "a name on msn is an address")


def test_people_that_a_trusted_peer_keeps() -> None:
    who = snapshot(DisableUser(address=BOB), rules=OPEN_RULES)
    assert way(who, sip("Dave@corp.example"), sip(ALICE)).sender.address == sip("dave@corp.example")
    assert way(who, sip(ALICE), sip("dave@corp.example")).direction is Direction.INTERNAL
    assert not who.enabled(BOB)
    assert refusal(who, sip(BOB), sip(ALICE)).code == "forbidden"
    assert refusal(who, sip("eve@other.example"), sip(ALICE)).code == "forbidden"


def test_a_federation() -> None:
    who = snapshot(rules=evolve(RULES, foreign_sip=True))
    out = way(who, sip(ALICE), sip("Friend@Other.example"))
    assert (out.direction, out.recipient.address, out.account) == (
        Direction.OUTBOUND,
        sip("friend@other.example"),
        ALICE,
    )
    assert way(who, sip("friend@other.example"), sip(CAROL)).direction is Direction.INBOUND
    # an address of ours that is no one's is never foreign
    assert refusal(who, sip("dave@corp.example"), sip(ALICE)).code == "forbidden"
    assert refusal(who, sip(ALICE), sip("dave@corp.example")).code == "not-found"
    assert refusal(who, sip("nonsense"), sip(ALICE)).code == "forbidden"
    # no open relay from one outside to another
    assert refusal(who, sip("friend@other.example"), OUTSIDE).code == "no-binding"


# --- what a daemon does about a change


def test_links_are_those_of_enabled_people() -> None:
    who = snapshot(BindName(address=BOB, network=MSN, name="Bob@hot.example"))
    assert [(b.network, b.name) for b in who.bindings()] == [
        (AIM, "aliceatwork"),
        (AIM, "bob99"),
        (MSN, "bob@hot.example"),
    ]
    assert [b.name for b in who.bindings(MSN)] == ["bob@hot.example"]
    assert [b.name for b in snapshot(DisableUser(address=BOB)).bindings()] == ["aliceatwork"]


def test_a_leaver_is_shut_out() -> None:
    for change in (DisableUser(address=BOB), RemoveUser(address=BOB)):
        found = delta(NOW, snapshot(change))
        assert found.shut_out == {BOB}
        assert [binding.name for binding in found.links_down] == ["bob99"]
        assert not found.links_up
        assert not found.passwords
    back = delta(snapshot(DisableUser(address=BOB)), NOW)
    assert not back.shut_out
    assert [binding.name for binding in back.links_up] == ["bob99"]


def test_a_leaver_whom_a_peer_keeps_is_shut_out() -> None:
    before = snapshot(rules=OPEN_RULES, state=STAFF)
    dave = "dave@corp.example"
    now = snapshot(AddUser(address=dave), DisableUser(address=dave), rules=OPEN_RULES, state=STAFF)
    assert delta(before, now).shut_out == {dave}


def test_a_new_password_is_noticed() -> None:
    network = delta(NOW, snapshot(BindName(address=BOB, network=AIM, name="bob99", password=Secret("x"))))
    assert [b.name for b in network.links_down] == [b.name for b in network.links_up] == ["bob99"]
    corporate = delta(NOW, snapshot(SetPassword(address=BOB, password=Secret("neu"))))
    assert corporate.passwords == {BOB}
    assert not corporate.links_up
    assert not corporate.shut_out


def test_a_name_that_changes_hands_is_signed_off_and_on() -> None:
    found = delta(
        NOW, snapshot(UnbindName(network=AIM, name="bob99"), BindName(address=CAROL, network=AIM, name="bob99"))
    )
    assert [b.person for b in found.links_down] == [BOB]
    assert [b.person for b in found.links_up] == [CAROL]
