"""Who may sign on at the SIP side, as the people are now."""

import pytest

from bridge.app.sipside import SnapshotAccounts
from bridge.identity.accounts import Algorithm, ha1
from bridge.identity.changes import AddUser, DisableUser, SetPassword
from bridge.identity.secret import Secret
from tests.unit.identity.given import ALICE, BOB, snapshot


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_either_user_name_signs_on(algorithm: Algorithm) -> None:
    account = SnapshotAccounts(snapshot).find("Alice@corp.example")
    assert account is not None
    assert account.aor == ALICE
    for username, table in (("alice", account.ha1), ("alice@corp.example", account.ha1_domain)):
        assert table[algorithm.value] == ha1(username, "corp.example", "geheim", algorithm)
        assert set(table) == {one.value for one in Algorithm}
        assert len(table) == len(Algorithm)
        assert table.get("SHA-1") is None


def test_no_hash_is_shown() -> None:
    account = SnapshotAccounts(snapshot).find(ALICE)
    assert account is not None
    assert account.ha1["MD5"] not in repr(account)


def test_who_does_not_sign_on() -> None:
    who = snapshot(DisableUser(address=BOB), AddUser(address="dave@corp.example"))
    accounts = SnapshotAccounts(lambda: who)
    assert accounts.find("nobody@corp.example") is None
    assert accounts.find("nonsense") is None
    assert accounts.find(BOB) is None
    dave = accounts.find("dave@corp.example")
    assert dave is not None
    assert dave.ha1.get("MD5") is None
    assert not dave.ha1


def test_a_new_password_counts_at_once() -> None:
    people = [snapshot()]
    accounts = SnapshotAccounts(lambda: people[0])
    before = accounts.find(ALICE)
    people[0] = snapshot(SetPassword(address=ALICE, password=Secret("neu")))
    after = accounts.find(ALICE)
    assert before is not None
    assert after is not None
    assert after.ha1["MD5"] == ha1("alice", "corp.example", "neu", Algorithm.MD5) != before.ha1["MD5"]
