"""Laws of identity: two times, one holder, normal forms, files that round-trip."""

from collections.abc import Sequence

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bridge.identity.accounts import normal_address, user_of
from bridge.identity.bindings import Fact, NameKey, holder, name_key
from bridge.identity.changes import AddUser, BindName, Change, ImportNames, Note, RemoveUser, UnbindName
from bridge.identity.errors import AddressRefused, IdentityError, ImportRefused, NameRefused
from bridge.identity.keyring import Keyring
from bridge.identity.names_csv import HEADER, read_rows, write_names
from bridge.identity.planner import plan
from bridge.identity.secret import Secret
from bridge.identity.state import State
from bridge.identity.vault import Vault
from bridge.model.address import Address
from bridge.model.ids import NetworkId, PersonId, RemoteUserId
from tests.unit.identity.given import NOON, RULES, STAFF, normal_name

PEOPLE = [f"p{number}@corp.example" for number in range(4)]
NAMES = ["Boogy", "BO OGY", "second", "third"]
KEYS = sorted({name_key("aim", name, normal_name) for name in NAMES})
steps = st.integers(min_value=-50, max_value=100)


class Bitemporal(RuleBasedStateMachine):
    """Binds, unbinds, corrects and removes at will, also with a clock that steps back."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.state = State()
        self.ledger: list[Fact] = []
        self.notes: tuple[Note, ...] = ()
        self.told: dict[tuple[NameKey, float, int], PersonId | None] = {}
        self.apply([AddUser(address=address) for address in PEOPLE])

    def apply(self, changes: Sequence[Change]) -> None:
        try:
            made = plan(self.state, changes, RULES, self.now)
        except IdentityError:
            return
        # what a store does: end belief, add rows
        for old in made.superseded:
            self.ledger[self.ledger.index(old)] = evolve(old, recorded_to=made.state.version)
        self.ledger += made.added
        self.state = made.state
        self.notes = made.notes

    def fact_answers(self, key: NameKey, at: float, version: int | None) -> list[Fact]:
        return [f for f in self.ledger if f.key == key and f.believed_at(version) and f.valid_at(at)]

    @rule(by=steps)
    def clock(self, by: int) -> None:
        self.now += by

    @rule(
        person=st.sampled_from(PEOPLE),
        name=st.sampled_from(NAMES),
        back=st.none() | st.integers(0, 150),
        primary=st.booleans(),
    )
    def bind(self, person: str, name: str, back: int | None, primary: bool) -> None:
        since = None if back is None else self.now - back
        key, before = name_key("aim", name, normal_name), self.state.version
        held = self.moments_of(key, person)
        self.apply([BindName(address=person, network="aim", name=name, since=since, primary=primary)])
        # a bind adds time to its person, and takes none from them
        expected = held
        if self.state.version > before and self.state.facts.get(key) and self.note_of_bind():
            expected = held | {self.state.stamped_at} | (set() if since is None else {since})
        for at in expected:
            fact = holder(self.ledger_of(key), at)
            assert fact is not None
            assert fact.person == person

    def moments_of(self, key: NameKey, person: str) -> set[float]:
        spans = [fact for fact in self.ledger_of(key) if fact.recorded_to is None and fact.person == person]
        return {fact.valid_from for fact in spans} | {self.now for fact in spans if fact.valid_at(self.now)}

    def note_of_bind(self) -> bool:
        return any(note.action == "bind" for note in self.notes)

    @rule(name=st.sampled_from(NAMES), back=st.none() | st.integers(0, 150))
    def unbind(self, name: str, back: int | None) -> None:
        self.apply([UnbindName(network="aim", name=name, until=None if back is None else self.now - back)])

    @rule(name=st.sampled_from(NAMES), person=st.sampled_from(PEOPLE))
    def hand_over(self, name: str, person: str) -> None:
        self.apply([UnbindName(network="aim", name=name), BindName(address=person, network="aim", name=name)])

    @rule(name=st.sampled_from(NAMES), back=st.integers(0, 20))
    def correct_an_end(self, name: str, back: int) -> None:
        fact = holder(self.ledger_of(name_key("aim", name, normal_name)), self.state.stamped_at)
        if fact is not None:
            self.unbind(name, None)
            self.bind(fact.person, name, back, primary=False)

    @rule(person=st.sampled_from(PEOPLE))
    def leave_and_return(self, person: str) -> None:
        self.apply([RemoveUser(address=person)])
        self.apply([AddUser(address=person)])

    @rule(key=st.sampled_from(KEYS), back=st.integers(-10, 200), data=st.data())
    def ask(self, key: NameKey, back: int, data: st.DataObject) -> None:
        version = data.draw(st.integers(0, self.state.version))
        at = self.now - back
        fact = holder(self.ledger_of(key), at, version)
        self.told[key, at, version] = None if fact is None else fact.person

    def ledger_of(self, key: NameKey) -> list[Fact]:
        return [fact for fact in self.ledger if fact.key == key]

    @invariant()
    def at_most_one_person_is_behind_a_name_at_any_time_in_any_belief(self) -> None:
        for key in KEYS:
            facts = self.ledger_of(key)
            moments = {f.valid_from for f in facts} | {f.valid_to for f in facts if f.valid_to is not None}
            for version in {f.recorded_from for f in facts} | {self.state.version}:
                for at in moments:
                    assert len(self.fact_answers(key, at, version)) <= 1

    @precondition(lambda self: self.told)
    @invariant()
    def what_was_told_as_of_a_version_stays_true(self) -> None:
        for (key, at, version), person in self.told.items():
            fact = holder(self.ledger_of(key), at, version)
            assert person == (None if fact is None else fact.person)

    @invariant()
    def state_is_what_the_ledger_believes(self) -> None:
        believed = {
            key: tuple(sorted((f for f in self.ledger_of(key) if f.recorded_to is None), key=lambda f: f.valid_from))
            for key in KEYS
        }
        assert {key: facts for key, facts in believed.items() if facts} == self.state.facts

    @invariant()
    def one_primary_name_for_who_has_names(self) -> None:
        bindings = self.state.bindings()
        having = {(binding.person, binding.network) for binding in bindings}
        primary = [(binding.person, binding.network) for binding in bindings if binding.primary]
        assert len(primary) == len(set(primary))
        assert set(primary) == having == set(self.state.primaries)

    @invariant()
    def the_snapshot_knows_who_it_is_now(self) -> None:
        snapshot = self.state.snapshot(RULES)
        for key in KEYS:
            fact = holder(self.ledger_of(key), self.state.stamped_at)
            assert snapshot.person_of(self.address(key)) == (None if fact is None else fact.person)

    @staticmethod
    def address(key: NameKey) -> Address:
        return Address(network=key.network, user=key.name)


TestBitemporal = Bitemporal.TestCase
TestBitemporal.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)

texts = st.text(st.characters(codec="utf-8"), max_size=30)
users = st.text(st.characters(categories=("L", "M", "N")) | st.sampled_from("-_.+="), min_size=1, max_size=20)


@given(users | texts, st.sampled_from(["corp.example", "Corp.Example.", "[::1]", "xn--mnchen-3ya.example"]))
def test_the_normal_form_of_an_address_is_idempotent(user: str, domain: str) -> None:
    try:
        normal = normal_address(f"{user}@{domain}")
    except AddressRefused:
        return
    assert normal_address(normal) == normal
    assert normal.isprintable()
    assert not set(user_of(normal)) & set(' "<>:;,/?%@\\')
    assert normal_address("SIP:" + normal) == normal


@given(texts, texts)
def test_the_normal_form_of_a_name_is_idempotent(network: str, name: str) -> None:
    for where in (network, "aim", "msn"):
        try:
            key = name_key(where, name, normal_name)
        except NameRefused:
            continue
        assert name_key(key.network, key.name, normal_name) == key


shown = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")) | st.just(" "), min_size=1, max_size=20)
holders = st.dictionaries(
    shown.filter(lambda name: name.strip() != ""), st.sampled_from(sorted(STAFF.accounts)), max_size=12
)


@given(holders)
def test_what_is_exported_imports_as_the_same(names: dict[str, str]) -> None:
    state = STAFF
    for name, person in names.items():
        try:
            state = plan(state, [BindName(address=person, network="aim", name=name)], RULES, NOON).state
        except IdentityError:
            continue
    data = write_names(state.bindings())
    once = plan(STAFF, [ImportNames(data=data)], RULES, NOON)
    assert write_names(once.state.bindings()) == data
    assert once.state.primaries == state.primaries
    assert plan(once.state, [ImportNames(data=data)], RULES, NOON + 1).empty
    assert plan(state, [ImportNames(data=data)], RULES, NOON + 1).empty


good_lines = st.builds(lambda number: f"p@corp.example,aim,n{number}".replace("p@", "alice@"), st.integers(0, 50))
bad_lines = st.sampled_from(
    [
        "alice@corp.example,aim",
        "nobody@corp.example,aim,x",
        "alice@corp.example,nonet,x",
        'alice@corp.example,aim,"x',
        ",,",
        "alice,aim,x",
        "bob@corp.example,msn,no address",
    ]
)


@given(st.lists(st.tuples(st.booleans(), good_lines, bad_lines), max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_an_import_is_all_or_nothing_and_names_each_bad_line(lines: list[tuple[bool, str, str]], end: str) -> None:
    text = end.join([",".join(HEADER), *(good if is_good else bad for is_good, good, bad in lines)])
    wrong = [number for number, (is_good, _, _) in enumerate(lines, start=2) if not is_good]
    if not wrong:
        made = plan(STAFF, [ImportNames(data=text.encode())], RULES, NOON)
        assert len(made.added) == len({good for _, good, _ in lines})
        return
    with pytest.raises(ImportRefused) as caught:
        plan(STAFF, [ImportNames(data=text.encode())], RULES, NOON)
    assert [error.line for error in caught.value.lines] == wrong
    assert not STAFF.facts


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: b"address,network,name\n" + data))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        rows, errors = read_rows(data)
    except ImportRefused:
        return
    lines = [row.line for row in rows] + [error.line for error in errors]
    assert len(lines) == len(set(lines)) <= data.count(b"\n") + data.count(b"\r") + 1


@given(st.text(st.characters(codec="utf-8"), max_size=200), texts, texts)
def test_what_is_sealed_opens_as_the_same(text: str, network: str, name: str) -> None:
    vault = Vault(Keyring(primary="k", keys={"k": bytes(range(32))}))
    owner = NameKey(NetworkId(network), RemoteUserId(name))
    assert vault.open(owner, vault.seal(owner, Secret(text))) == Secret(text)
