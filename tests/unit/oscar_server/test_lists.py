"""The list that the server keeps, and authorization between ICQ numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.oscar_server.accounts import Accounts, AccountsError
from tests.kit.oscar_server.network import Config
from tests.unit.oscar_server.harness import Client, Server
from transports.oscar.wire import buddy, feedbag
from transports.oscar.wire.snac import MORE_REPLIES
from transports.oscar.wire.tlv import Tlvs

GROUP = feedbag.Item(name="Buddies", group_id=1, item_id=0, class_id=feedbag.GROUP)


def entry(name: str, item_id: int, *, pending: bool = False, class_id: int = feedbag.BUDDY) -> feedbag.Item:
    tlvs = Tlvs([(feedbag.ATTR_PENDING, b"")] if pending else [])
    group_id = 1 if class_id == feedbag.BUDDY else 0
    return feedbag.Item(name=name, group_id=group_id, item_id=item_id, class_id=class_id, tlvs=tlvs)


def results(client: Client, body: feedbag.Insert | feedbag.Update | feedbag.Delete) -> tuple[int, ...]:
    return client.one(feedbag.EditStatus, client.say(body)).words


def test_edits_and_what_becomes_of_them() -> None:
    client = Server("alice").online("alice")
    assert results(client, feedbag.Insert((entry("bob", 2),))) == (feedbag.INVALID,)
    assert results(client, feedbag.Insert((GROUP, entry("bob", 2), entry("bob", 2)))) == (0, 0, feedbag.EXISTS)
    assert results(client, feedbag.Update((entry("bobby", 2), entry("x", 9)))) == (0, feedbag.NOT_FOUND)
    reply = client.one(feedbag.ListReply, client.say(feedbag.ListQuery()))
    assert {item.name for item in reply.items} == {"Buddies", "bobby"}
    assert results(client, feedbag.Delete((entry("bobby", 2), entry("bobby", 2)))) == (0, feedbag.NOT_FOUND)


def test_the_list_is_bounded() -> None:
    client = Server("alice", config=Config(max_buddies=2)).online("alice")
    insert = feedbag.Insert((GROUP, *(entry(f"b{number}", number) for number in (1, 2, 3))))
    assert results(client, insert) == (0, 0, 0, feedbag.LIMIT_EXCEEDED)
    rights = client.one(feedbag.RightsReply, client.say(feedbag.RightsQuery()))
    assert rights.limits_by_class()[feedbag.BUDDY] == 2


def test_a_list_that_has_not_changed() -> None:
    client = Server("alice").online("alice")
    results(client, feedbag.Insert((GROUP,)))
    reply = client.one(feedbag.ListReply, client.say(feedbag.ListQuery()))
    same = feedbag.ListQueryIfChanged(timestamp=reply.timestamp, count=1)
    assert client.say(same) == [feedbag.ListUnchanged(timestamp=reply.timestamp, count=1)]
    results(client, feedbag.Insert((entry("bob", 2),)))
    assert isinstance(client.say(same)[0], feedbag.ListReply)


def test_a_long_list_comes_in_parts() -> None:
    server = Server("alice")
    account = server.network.accounts.find("alice")
    assert account is not None
    account.put_on_list([f"buddy{number}" for number in range(700)])
    frames = server.online("alice").say_raw(feedbag.ListQuery())
    assert [frame.flags for frame in frames] == [MORE_REPLIES, MORE_REPLIES, 0]
    assert sum(len(feedbag.ListReply.decode(frame.data).items) for frame in frames) == 702


def test_presence_follows_the_list() -> None:
    server = Server("alice", "bob")
    server.online("bob")
    alice = server.online("alice")
    told = alice.say(feedbag.Insert((GROUP, entry("bob", 2))))
    assert [type(body) for body in told] == [feedbag.EditStatus, buddy.Arrived]
    results(alice, feedbag.Delete((entry("bob", 2),)))
    assert server.network.sessions["alice"].watching == set()


def test_denies_on_the_list() -> None:
    server = Server("alice", "bob")
    alice, bob = server.online("alice"), server.online("bob")
    bob.say(feedbag.Insert((GROUP, entry("alice", 2))))
    results(alice, feedbag.Insert((entry("bob", 7, class_id=feedbag.DENY),)))
    assert [type(body) for body in bob.heard()] == [buddy.Departed]
    nobody = feedbag.Item(
        name="", group_id=0, item_id=8, class_id=feedbag.PDINFO, tlvs=Tlvs([(feedbag.ATTR_PD_MODE, b"\1")])
    )
    results(alice, feedbag.Insert((nobody,)))
    assert [type(body) for body in bob.heard()] == [buddy.Arrived]


def test_authorization() -> None:
    server = Server("100100", "200200")
    shy = server.network.accounts.find("200200")
    assert shy is not None
    shy.requires_authorization = True
    asking = server.online("100100")
    assert results(asking, feedbag.Insert((GROUP, entry("200200", 2)))) == (0, feedbag.NEEDS_AUTHORIZATION)
    assert results(asking, feedbag.Insert((entry("200200", 2, pending=True),))) == (0,)
    asking.say(feedbag.AuthorizationRequest(name="200200", reason="please"))
    asked = server.bos("200200")
    asked.say(feedbag.Activate())
    assert asking.heard() == []
    from transports.oscar.wire import oservice

    heard = asked.say(oservice.ClientOnline())
    assert asked.one(feedbag.AuthorizationAsked, heard).reason == "please"
    assert asking.heard() == []
    asked.say(feedbag.AuthorizationReply(name="100100", accepted=True))
    assert [type(body) for body in asking.heard()] == [feedbag.AuthorizationAnswered, buddy.Arrived]
    assert results(asking, feedbag.Delete((entry("200200", 2),))) == (0,)
    assert results(asking, feedbag.Insert((entry("200200", 2),))) == (0,)
    assert asked.one(feedbag.YouWereAdded, asked.heard()).name == "100100"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[", "Expecting value"),
        ('"x"', "neither an object nor a list"),
        ("[1]", "account 0: not an object"),
        ('[{"name": "a"}]', "account 0: name and password"),
        ('[{"name": "a", "password": "b", "buddy": []}]', "unknown keys"),
        ('[{"name": "a", "password": "b", "buddies": [1]}]', "buddies must be"),
        ('{"a": "b", "A": "b"}', "is there already"),
        ('{"a": ""}', "has no password"),
    ],
)
def test_accounts_that_cannot_be_read(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "accounts.json"
    path.write_text(text)
    with pytest.raises(AccountsError, match=told) as caught:
        Accounts(0).load(path)
    assert str(path) in str(caught.value)


def test_accounts_with_buddies(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    path.write_text('[{"name": "A B", "password": "c", "buddies": ["D e"], "requires_authorization": true}]')
    accounts = Accounts(0)
    accounts.load(path)
    account = accounts.find("ab")
    assert account is not None
    assert (account.buddies(), account.requires_authorization) == ({"de"}, True)
