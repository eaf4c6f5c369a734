"""Names: one person has one address, two people never share one, and each can be written in a SIP URI."""

import unicodedata

from bridge.identity.secret import Secret
from bridge.model.address import Address
from bridge.model.capabilities import LinkState
from bridge.model.ids import RemoteUserId
from mappings.identity import AddressError, normalise
from tests.kit.conformance.rig import Rig
from tests.kit.conformance.stage import NETWORK, ONLINE, Stage, asynchronous, thread, until

LOOKS = dict(zip("aeopcxy", "\u0430\u0435\u043e\u0440\u0441\u0445\u0443", strict=True))
FOLDS = {"k": "\u212a", "s": "\u017f", "i": "\u0130\u0131\u0456", "1": "\uff11\u0661\u00b9", "0": "\uff10\u0660"}
"""What becomes an ASCII letter or digit when it is folded, lowered or normalised without thought."""
HIDDEN = ("\u200b", "\u00ad", "\u2060", "\ufeff", "\u202e", "\u0000", "\n", "\r", "\t")


def normal_or_none(kind: str, name: str) -> str | None:
    try:
        return normalise(kind, name)
    except AddressError:
        return None


def names(rig: Rig) -> list[str]:
    people = [rig.outsider(number).name for number in (0, 1)]
    return [*people, *(login.name for login in rig.accounts), *(each for pair in rig.alike for each in pair[:2])]


def test_the_rig_names_pairs_that_look_alike(rig: Rig) -> None:
    assert any(same for *_, same in rig.alike) or normal_or_none(rig.kind, "Case") == normal_or_none(rig.kind, "case")
    assert sum(not same for *_, same in rig.alike) >= 3


def test_names_that_look_alike_are_one_or_two_as_the_network_has_it(rig: Rig) -> None:
    for one, other, same in rig.alike:
        first, second = normal_or_none(rig.kind, one), normal_or_none(rig.kind, other)
        assert first is not None, f"{one!r} is a name"
        assert (first == second) is same, f"{one!r} and {other!r}: {first!r}, {second!r}"


def test_a_normal_form_is_its_own(rig: Rig) -> None:
    for name in names(rig):
        normal = normal_or_none(rig.kind, name)
        if normal is not None:
            assert normalise(rig.kind, normal) == normal
            assert unicodedata.is_normalized("NFC", normal)


def test_confusables_and_hidden_characters_make_no_second_spelling(rig: Rig) -> None:
    """A letter of another script, or one that nobody sees, is another name or none: never the same person."""
    for name in [rig.outsider(number).name for number in (0, 1)]:
        forged = [name.replace(letter, look) for letter, look in LOOKS.items() if letter in name]
        forged += [name.replace(to, look) for to, looks in FOLDS.items() for look in looks if to in name]
        forged += [name.translate({ord(letter): ord(letter) + 0xFEE0 for letter in name if letter.isalnum()})]
        forged += [name[:2] + hidden + name[2:] for hidden in HIDDEN] + [name + hidden for hidden in HIDDEN]
        for other in forged:
            assert normal_or_none(rig.kind, other) != name, f"{other!r} passes for {name!r}"


@asynchronous
async def test_each_name_has_one_sip_form_and_comes_back(stage: Stage) -> None:
    book = stage.home.addresses()
    forms: dict[str, str] = {}
    for name in names(stage.rig):
        normal = normal_or_none(stage.rig.kind, name)
        if normal is None:
            continue
        address = Address(network=NETWORK, user=RemoteUserId(normal))
        uri = book.to_uri(address)
        assert book.from_uri(uri) == address, uri
        assert forms.setdefault(uri, normal) == normal, f"{uri} is {normal!r} and {forms[uri]!r}"
        assert uri.isascii()
        assert uri.count("@") == 1


@asynchronous
async def test_a_name_of_ours_in_any_spelling_is_one_account(stage: Stage) -> None:
    login = stage.rig.accounts[0]
    account = await stage.up()
    one = [each for pair in stage.rig.alike if pair[2] for each in pair[:2]]
    for spelling in [login.name, *(each for each in one if normalise(stage.rig.kind, each) == account)]:
        stage.network.sign_on(spelling, Secret(login.password), ONLINE)
    assert set(stage.network.states()) == {account}


@asynchronous
async def test_who_writes_is_who_they_are(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    await thread(outsider.send, account, "who am I?")
    await until(lambda: "who am I?" in stage.texts(sender=outsider.name), "it, from them")
    senders = {draft.sender.address.user for draft in stage.drafts() if getattr(draft.body, "text", "") == "who am I?"}
    assert senders == {outsider.name}
    assert stage.network.states()[account] is LinkState.UP
