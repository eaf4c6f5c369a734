"""Changes: what they do, and what is refused."""

import math

import pytest
from attrs import evolve

from bridge.identity.bindings import NameKey
from bridge.identity.changes import (
    AddUser,
    BindName,
    Change,
    DisableUser,
    EnableUser,
    ForgetPassword,
    ImportNames,
    Note,
    RemoveUser,
    SetDisplayName,
    SetGroups,
    SetPassword,
    UnbindName,
)
from bridge.identity.errors import (
    AccountExists,
    AddressRefused,
    IdentityError,
    ImportRefused,
    NameRefused,
    NameTaken,
    NoSuchAccount,
    NotBound,
    PasswordRefused,
    TimeRefused,
)
from bridge.identity.names_csv import write_names
from bridge.identity.planner import plan
from bridge.identity.secret import Secret
from bridge.identity.state import State
from bridge.model.ids import RemoteUserId
from tests.unit.identity.given import (
    AIM,
    ALICE,
    BOB,
    BOUND,
    CAROL,
    NOON,
    OPEN_RULES,
    RULES,
    STAFF,
    after,
    people,
)

KEY = NameKey(AIM, RemoteUserId("aliceatwork"))
LATER = NOON + 1000


def refused(kind: type[IdentityError], *changes: Change, state: State = BOUND) -> str:
    with pytest.raises(kind) as caught:
        plan(state, changes, RULES, LATER)
    assert caught.value.code != IdentityError.code
    return str(caught.value)


def holders(state: State) -> dict[str, str]:
    return {f"{binding.network}/{binding.name}": binding.person for binding in state.bindings()}


def test_an_account_is_added() -> None:
    made = plan(
        State(), [AddUser(address="SIP:Dave@Corp.example", password=Secret("x"), display_name=" Dave ")], RULES, NOON
    )
    (account,) = made.state.accounts.values()
    assert (account.address, account.realm, account.display_name) == ("dave@corp.example", "corp.example", "Dave")
    assert (account.enabled, account.created_at, len(account.ha1s)) == (True, NOON, 6)
    assert (made.before, made.state.version, made.state.stamped_at) == (0, 1, NOON)
    assert made.notes == (Note(action="user-add", person=account.address),)
    assert made.accounts == {account.address: account}
    assert "Secret(***)" in repr(AddUser(address="a@b", password=Secret("geheim")))


def test_an_account_without_a_password() -> None:
    made = plan(State(), [AddUser(address=ALICE)], RULES, NOON)
    assert made.state.accounts[ALICE].ha1s == ()
    assert made.notes[0].as_dict() == {"action": "user-add", "person": ALICE, "detail": "without a password"}


def test_accounts_that_are_refused() -> None:
    assert refused(AccountExists, AddUser(address="ALICE@corp.example")) == f"{ALICE}: there is such an account already"
    assert "not a domain of ours (corp.example)" in refused(AddressRefused, AddUser(address="a@other.example"))
    refused(AddressRefused, AddUser(address="alice"))
    refused(PasswordRefused, AddUser(address="d@corp.example", password=Secret("")))
    refused(NameRefused, AddUser(address="d@corp.example", display_name="a\nb"))
    refused(NameRefused, AddUser(address="d@corp.example", display_name="x" * 257))


def test_two_do_not_sign_on_as_one() -> None:
    rules = evolve(RULES, domains=frozenset({"corp.example", "sub.example"}), realm="everyone")
    state = after(AddUser(address=ALICE), rules=rules)
    assert state.accounts[ALICE].realm == "everyone"
    with pytest.raises(AccountExists, match="signs on as alice in the realm everyone"):
        plan(state, [AddUser(address="alice@sub.example")], rules, NOON)
    realms = evolve(rules, realm=None)
    assert len(after(AddUser(address=ALICE), AddUser(address="alice@sub.example"), rules=realms).accounts) == 2


def test_passwords_and_names_to_show() -> None:
    state = after(
        SetPassword(address=ALICE, password=Secret("neu")),
        SetDisplayName(address=ALICE, display_name="A."),
        state=BOUND,
    )
    assert state.accounts[ALICE].ha1s != BOUND.accounts[ALICE].ha1s
    assert state.accounts[ALICE].display_name == "A."
    assert plan(state, [SetDisplayName(address=ALICE, display_name="A.")], RULES, LATER).empty
    refused(NoSuchAccount, SetPassword(address="dave@corp.example", password=Secret("x")))
    refused(PasswordRefused, SetPassword(address=ALICE, password=Secret("x\n")))


def test_a_login_is_free_again_once_its_account_is_gone() -> None:
    changes: list[Change] = [RemoveUser(address=ALICE), AddUser(address=ALICE, display_name="another Alice")]
    assert plan(BOUND, changes, RULES, LATER).state.accounts[ALICE].display_name == "another Alice"


def test_a_new_realm_does_not_make_two_sign_on_as_one() -> None:
    rules = evolve(RULES, domains=frozenset({"corp.example", "sub.example"}))
    state = after(*people(ALICE, "alice@sub.example"), rules=rules)
    one_realm = evolve(rules, realm="everyone")
    changes = [SetPassword(address=address, password=Secret("neu")) for address in (ALICE, "alice@sub.example")]
    assert plan(state, changes[:1], one_realm, LATER).state.accounts[ALICE].realm == "everyone"
    with pytest.raises(AccountExists, match=r"^alice@sub.example: alice@corp.example signs on as alice"):
        plan(state, changes, one_realm, LATER)


def test_a_new_realm_is_followed_with_the_next_password() -> None:
    made = plan(BOUND, [SetPassword(address=ALICE, password=Secret("neu"))], evolve(RULES, realm="new"), LATER)
    assert made.state.accounts[ALICE].realm == "new"


def test_disabling_and_enabling() -> None:
    off = plan(BOUND, [DisableUser(address=ALICE)], RULES, LATER)
    assert not off.state.accounts[ALICE].enabled
    assert holders(off.state) == holders(BOUND)
    assert plan(off.state, [DisableUser(address=ALICE)], RULES, LATER).empty
    on = plan(off.state, [EnableUser(address=ALICE)], RULES, LATER)
    assert on.state.accounts[ALICE].enabled
    assert plan(on.state, [EnableUser(address=ALICE)], RULES, LATER).empty
    for change in (DisableUser, EnableUser, RemoveUser):
        refused(NoSuchAccount, change(address="dave@corp.example"))


def test_an_empty_plan_changes_no_version() -> None:
    made = plan(
        BOUND, [EnableUser(address=ALICE), BindName(address=ALICE, network="aim", name="ALICE at work")], RULES, LATER
    )
    assert made.empty
    assert made.state is BOUND
    assert (made.added, made.superseded, made.primaries, made.accounts) == ((), (), {}, {})


def test_removing_unbinds_and_forgets() -> None:
    state = after(
        BindName(address=ALICE, network="aim", name="second", password=Secret("x")),
        SetGroups(address=ALICE, groups=frozenset({"sales"})),
        state=BOUND,
        now=NOON + 500,
    )
    made = plan(state, [RemoveUser(address=ALICE)], RULES, LATER)
    assert holders(made.state) == {"aim/bob99": BOB}
    assert ALICE not in made.state.accounts
    assert (made.accounts[ALICE], made.primaries[ALICE, AIM]) == (None, None)
    assert made.groups == {ALICE: frozenset()}
    assert made.secrets == {NameKey(AIM, RemoteUserId("second")): None}
    assert not made.state.credentials
    # the past is still known
    assert [fact.valid_to for fact in made.state.facts[KEY]] == [LATER]
    actions = [note.action for note in made.notes]
    assert actions == ["unbind", "primary", "unbind", "credential-delete", "user-remove"]


def test_groups() -> None:
    state = after(SetGroups(address=ALICE, groups=frozenset({"b", "a"})), state=BOUND)
    assert state.groups == {ALICE: {"a", "b"}}
    assert plan(state, [SetGroups(address=ALICE, groups=frozenset({"b", "a"}))], RULES, LATER).empty
    assert not after(SetGroups(address=ALICE, groups=frozenset()), state=state).groups
    assert plan(BOUND, [SetGroups(address=ALICE, groups=frozenset())], RULES, LATER).empty
    for group in ("", " ", "a\nb", "x" * 257):
        refused(NameRefused, SetGroups(address=ALICE, groups=frozenset({group})))
    refused(NoSuchAccount, SetGroups(address="dave@corp.example", groups=frozenset()))


def test_binding() -> None:
    made = plan(STAFF, [BindName(address="Alice@corp.example", network="aim", name=" Alice at Work ")], RULES, LATER)
    (fact,) = made.added
    assert (fact.key, fact.person, fact.shown) == (KEY, ALICE, "Alice at Work")
    assert (fact.valid_from, fact.valid_to, fact.recorded_from, fact.recorded_to) == (LATER, None, 4, None)
    assert made.primaries == {(ALICE, AIM): "aliceatwork"}
    assert made.notes == (
        Note(action="bind", person=ALICE, network=AIM, name=RemoteUserId("aliceatwork"), at=LATER, detail="primary"),
    )
    assert made.notes[0].as_dict()["at_us"] == int(LATER) * 1_000_000


def test_bindings_that_are_refused() -> None:
    assert refused(NameTaken, BindName(address=CAROL, network="aim", name="BOB 99")) == (
        f"aim/bob99: is bound to {BOB}: unbind it first"
    )
    refused(NoSuchAccount, BindName(address="dave@corp.example", network="aim", name="dave"))
    refused(AddressRefused, BindName(address="dave@other.example", network="aim", name="dave"))
    refused(NameRefused, BindName(address=CAROL, network="icq", name="1"))
    refused(NameRefused, BindName(address=CAROL, network="sip", name="bob@corp.example"))
    refused(PasswordRefused, BindName(address=CAROL, network="aim", name="carol", password=Secret("")))
    for since in (LATER + 1, math.inf, math.nan):
        refused(TimeRefused, BindName(address=CAROL, network="aim", name="carol", since=since))


def test_people_whom_a_peer_keeps_have_names_too() -> None:
    dave = "dave@corp.example"
    state = after(BindName(address=dave, network="aim", name="dave"), rules=OPEN_RULES)
    assert holders(state) == {"aim/dave": dave}
    with pytest.raises(AddressRefused):
        plan(state, [BindName(address="dave@other.example", network="aim", name="x")], OPEN_RULES, LATER)


def test_the_primary_name() -> None:
    second = BindName(address=ALICE, network="aim", name="second")
    third = BindName(address=ALICE, network="aim", name="third")
    state = after(second, third, state=BOUND, now=NOON + 500)
    assert state.primaries[ALICE, AIM] == "aliceatwork"
    made = plan(state, [evolve(third, primary=True)], RULES, LATER)
    assert made.state.primaries[ALICE, AIM] == "third"
    assert [note.action for note in made.notes] == ["primary"]
    assert plan(made.state, [evolve(third, primary=True)], RULES, LATER).empty
    # of those left, the one that was bound first takes its place
    left = after(UnbindName(network="aim", name="third"), state=made.state, now=LATER)
    assert left.primaries[ALICE, AIM] == "aliceatwork"
    # that of another goes without a word about the primary one
    assert after(UnbindName(network="aim", name="second"), state=left, now=LATER).primaries[ALICE, AIM] == "aliceatwork"
    none = after(UnbindName(network="aim", name="second"), UnbindName(network="aim", name="aliceatwork"), state=left)
    assert (ALICE, AIM) not in none.primaries
    assert [binding.name for binding in left.bindings()] == ["aliceatwork", "second", "bob99"]


def test_a_new_primary_name_in_one_step() -> None:
    made = plan(BOUND, [BindName(address=ALICE, network="aim", name="new", primary=True)], RULES, LATER)
    assert made.state.primaries[ALICE, AIM] == "new"
    assert [note.detail for note in made.notes] == ["primary"]


def test_unbinding() -> None:
    made = plan(BOUND, [UnbindName(network="aim", name="ALICE at work", address=ALICE, until=NOON + 600)], RULES, LATER)
    assert holders(made.state) == {"aim/bob99": BOB}
    (old,) = made.superseded
    (ended,) = made.added
    assert (ended.valid_from, ended.valid_to) == (old.valid_from, NOON + 600)
    assert (old.recorded_from, old.recorded_to, ended.recorded_from) == (4, None, 6)
    assert "is not bound to bob" in refused(NotBound, UnbindName(network="aim", name="aliceatwork", address=BOB))
    assert "is not bound to anyone" in refused(NotBound, UnbindName(network="aim", name="nobody"))
    refused(TimeRefused, UnbindName(network="aim", name="bob99", until=NOON - 1))
    refused(TimeRefused, UnbindName(network="aim", name="bob99", until=LATER + 1))


def test_a_binding_that_never_was_is_taken_back() -> None:
    since = BOUND.facts[KEY][0].valid_from
    made = plan(BOUND, [UnbindName(network="aim", name="aliceatwork", until=since)], RULES, LATER)
    assert KEY not in made.state.facts
    assert len(made.superseded) == 1
    assert not made.added


def test_a_binding_that_ended_too_early_goes_on() -> None:
    ended = after(UnbindName(network="aim", name="bob99"), state=BOUND, now=LATER)
    made = plan(ended, [BindName(address=BOB, network="aim", name="bob99", since=LATER)], RULES, LATER + 50)
    (fact,) = made.added
    assert (fact.valid_from, fact.valid_to) == (BOUND.facts[fact.key][0].valid_from, None)
    assert [old.valid_to for old in made.superseded] == [LATER]
    assert holders(made.state) == holders(BOUND)


def test_a_name_changes_hands_in_one_change() -> None:
    changes: list[Change] = [
        UnbindName(network="aim", name="bob99"),
        BindName(address=CAROL, network="aim", name="bob99"),
    ]
    made = plan(BOUND, changes, RULES, LATER)
    assert holders(made.state)["aim/bob99"] == CAROL
    assert [(fact.person, fact.valid_to) for fact in made.added] == [(BOB, LATER), (CAROL, None)]


def test_what_is_undone_in_the_same_change_is_never_written() -> None:
    changes: list[Change] = [
        BindName(address=CAROL, network="aim", name="carol"),
        UnbindName(network="aim", name="carol"),
    ]
    made = plan(BOUND, changes, RULES, LATER)
    assert not made.added
    assert not made.superseded
    assert made.state.facts == BOUND.facts


def test_network_passwords() -> None:
    made = plan(BOUND, [BindName(address=BOB, network="aim", name="bob99", password=Secret("geheim"))], RULES, LATER)
    key = NameKey(AIM, RemoteUserId("bob99"))
    assert made.secrets == {key: Secret("geheim")}
    assert made.state.credentials == {key: 6}
    assert [note.action for note in made.notes] == ["credential-set"]
    assert "geheim" not in repr(made)
    forgotten = plan(made.state, [ForgetPassword(network="aim", name="bob99")], RULES, LATER)
    assert forgotten.secrets == {key: None}
    assert plan(forgotten.state, [ForgetPassword(network="aim", name="bob99")], RULES, LATER).empty
    refused(NotBound, ForgetPassword(network="aim", name="nobody"))
    unbound = plan(made.state, [UnbindName(network="aim", name="bob99")], RULES, LATER)
    assert unbound.secrets == {key: None}
    assert not unbound.state.credentials


def test_a_clock_that_steps_back_does_not_reorder() -> None:
    state = after(UnbindName(network="aim", name="bob99"), state=BOUND, now=LATER)
    made = plan(state, [BindName(address=CAROL, network="aim", name="bob99")], RULES, NOON - 86_400)
    assert made.state.stamped_at > LATER
    assert made.clock_at == NOON - 86_400
    assert [fact.person for fact in made.state.facts[NameKey(AIM, RemoteUserId("bob99"))]] == [BOB, CAROL]


def test_one_bad_command_spoils_all() -> None:
    before = dict(BOUND.accounts)
    refused(NotBound, *people("dave@corp.example"), UnbindName(network="aim", name="nobody"))
    assert dict(BOUND.accounts) == before


# --- import


def test_import() -> None:
    data = (
        b"\xef\xbb\xbfaddress,network,name\r\nalice@corp.example,aim,Alice at Work\r\n\r\n"
        b'Carol@corp.example, aim ,"car""ol, x"\r\n'
    )
    made = plan(BOUND, [ImportNames(data=data)], RULES, LATER)
    assert holders(made.state) == {"aim/aliceatwork": ALICE, "aim/bob99": BOB, 'aim/car"ol,x': CAROL}
    assert [note.action for note in made.notes] == ["bind"]
    assert plan(made.state, [ImportNames(data=data)], RULES, LATER).empty


def test_an_import_names_every_bad_line_and_keeps_nothing() -> None:
    data = "\n".join(
        [
            "address,network,name",
            f"{CAROL},aim,carol",
            f"{CAROL},nonet,carol",
            "carol,aim,carol2",
            f"{CAROL},aim",
            f"{CAROL},aim,Bob 99",
            f"{ALICE},aim,CAROL",
            "dave@corp.example,aim,dave",
            f'{CAROL},aim,"open',
            f"{CAROL},msn,carol@hot.example",
        ]
    )
    with pytest.raises(ImportRefused) as caught:
        plan(BOUND, [ImportNames(data=data.encode(), source="names.csv")], RULES, LATER)
    error = caught.value
    assert [line.line for line in error.lines] == [3, 4, 5, 6, 7, 8, 9]
    reasons = [line.reason for line in error.lines]
    for reason, part in zip(
        reasons,
        [
            "no network nonet",
            "user@domain",
            "2 fields instead of 3",
            f"is bound to {BOB}",
            f"aim/carol is given to {CAROL} on line 2",
            "no such account",
            "not CSV",
        ],
        strict=True,
    ):
        assert part in reason
    assert str(error).startswith("names.csv: nothing imported, 7 bad lines: line 3: ")
    assert "bytes>" in repr(ImportNames(data=b"a" * 10))


def test_the_export_of_names_imports() -> None:
    state = after(
        BindName(address=ALICE, network="aim", name='A second, "quoted"', primary=True),
        BindName(address=CAROL, network="msn", name="Carol@Hot.example"),
        state=BOUND,
        now=LATER,
    )
    again = after(ImportNames(data=write_names(state.bindings())), state=STAFF, now=LATER)
    assert [evolve(b, since=0) for b in again.bindings()] == [evolve(b, since=0) for b in state.bindings()]
    assert again.primaries == state.primaries
