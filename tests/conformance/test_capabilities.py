"""What a network declares is what it does: what it carries is seen to work, what it drops is said and never sent."""

import pytest

from bridge.model.body import (
    Attachment,
    Authorization,
    Body,
    Consent,
    ContactEdit,
    Edit,
    Message,
    PresenceUpdate,
    Reaction,
    Receipt,
    Retract,
    Typing,
    TypingState,
)
from bridge.model.body import Stage as Reached
from bridge.model.capabilities import RECIPIENT_OFFLINE, Support
from bridge.model.envelope import Translated, Unmappable
from bridge.model.ids import RemoteMessageId
from bridge.model.presence import Activity, Basic, PersonPresence
from tests.kit.conformance.stage import ONLINE, Stage, asynchronous, message, pause, thread, until

AWAY = PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY, note="at lunch")
TARGET = RemoteMessageId("0011223344556677")
FILE = Attachment(blob_ref="b", media_type="image/png", size=9, sha256="0" * 64, name="plan.png")
BODIES: dict[str, Body] = {
    "typing": Typing(state=TypingState.ACTIVE),
    "edits": Edit(target=TARGET, replacement=message("better")),
    "retractions": Retract(target=TARGET),
    "reactions": Reaction(target=TARGET, emoji="👍"),
    "delivered_receipts": Receipt(target=TARGET, stage=Reached.DELIVERED),
    "displayed_receipts": Receipt(target=TARGET, stage=Reached.DISPLAYED),
}


@pytest.mark.parametrize("feature", list(BODIES))
@asynchronous
async def test_what_is_dropped_has_no_form_and_what_is_not_has_one(stage: Stage, feature: str) -> None:
    account = stage.normal(stage.rig.accounts[0].name)
    translated = stage.translated(account, stage.rig.outsider(0).name, BODIES[feature])
    if getattr(stage.capabilities, feature) is Support.DROPPED:
        assert isinstance(translated, Unmappable), f"{feature} is declared as dropped, and is sent: {translated}"
        assert translated.feature
        assert translated.reason
    elif feature not in {"delivered_receipts", "displayed_receipts"}:  # a network may tell only of what comes to us
        assert isinstance(translated, Translated), f"{feature} is declared, and has no form: {translated}"


@asynchronous
async def test_a_file_that_cannot_be_sent_is_a_loss(stage: Stage) -> None:
    account = stage.normal(stage.rig.accounts[0].name)
    body = Message(parts=(*message("see this").parts, FILE))
    translated = stage.translated(account, stage.rig.outsider(0).name, body)
    if stage.capabilities.files is Support.DROPPED:
        assert isinstance(translated, Unmappable) or translated.losses
    else:
        assert isinstance(translated, Translated)


@asynchronous
async def test_a_message_is_acknowledged_as_declared(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    (result,) = await stage.said(account, outsider.name, "is it relayed?")
    assert result.failure is None
    declared = stage.capabilities
    reached = [Reached.UNKNOWN, Reached.ACCEPTED, Reached.RELAYED, Reached.DELIVERED, Reached.DISPLAYED]
    if declared.relayed_receipts is Support.DROPPED:
        assert result.stage in {Reached.UNKNOWN, Reached.ACCEPTED}, "more is said than the network tells"
    else:
        assert reached.index(result.stage) >= reached.index(Reached.RELAYED)
    if declared.delivered_receipts is Support.DROPPED:
        assert result.stage not in {Reached.DELIVERED, Reached.DISPLAYED}
    await stage.reaches(outsider, "is it relayed?")


@pytest.mark.needs("receipts")
@asynchronous
async def test_receipts_come_and_name_the_message(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    (result,) = await stage.said(account, outsider.name, "tell me when you have read it")
    await stage.reaches(outsider, "tell me when you have read it")
    names = {result.remote_id, *result.aliases}
    if stage.capabilities.displayed_receipts is not Support.DROPPED:
        (heard,) = [each for each in outsider.heard() if each.text == "tell me when you have read it"]
        await thread(outsider.displayed, heard)
        wanted = Reached.DISPLAYED
    else:
        wanted = Reached.DELIVERED
    await until(
        lambda: any(r.target in names and r.stage is wanted for r in stage.bodies(Receipt)), f"word of {wanted.value}"
    )


@pytest.mark.needs("edits")
@asynchronous
async def test_a_correction_goes_out_and_comes_in(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    (result,) = await stage.said(account, outsider.name, "lunhc?")
    assert result.remote_id is not None
    await stage.reaches(outsider, "lunhc?")
    edit = Edit(target=RemoteMessageId(result.remote_id), replacement=message("lunch?"))
    await stage.said(account, outsider.name, edit)
    await until(lambda: [h for h in outsider.heard() if h.kind == "edit" and h.text.endswith("lunch?")], "the edit")
    await thread(outsider.send, account, "at twevle")
    await until(lambda: "at twevle" in stage.texts(sender=outsider.name), "their message")
    await thread(outsider.edit, account, None, "at twelve")
    edits = await until(lambda: stage.bodies(Edit, sender=outsider.name), "their edit")
    assert edits[-1].replacement.text == "at twelve"


@pytest.mark.needs("typing")
@asynchronous
async def test_typing_both_ways_as_declared(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    if stage.capabilities.typing is Support.DROPPED:
        return  # that it has no form is seen above
    await stage.said(account, outsider.name, "a conversation begins")
    await stage.reaches(outsider, "a conversation begins")
    await thread(outsider.send, account, "it does")
    await until(lambda: "it does" in stage.texts(sender=outsider.name), "the answer")
    (result,) = await stage.said(account, outsider.name, Typing(state=TypingState.ACTIVE))
    assert result.failure is None
    await until(lambda: _typed(stage, account), "they see that we type")
    await thread(outsider.typing, account, TypingState.ACTIVE)
    await until(
        lambda: any(body.state is TypingState.ACTIVE for body in stage.bodies(Typing, sender=outsider.name)),
        "we see that they type",
    )


def _typed(stage: Stage, account: str) -> bool:
    return any(
        each.kind == "typing" and each.state is TypingState.ACTIVE and stage.normal(each.sender) == account
        for each in stage.rig.outsider(0).heard()
    )


@pytest.mark.needs("presence")
@asynchronous
async def test_presence_of_theirs_comes_in(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(1)
    if stage.capabilities.presence is Support.DROPPED:
        return
    await stage.said(account, outsider.name, ContactEdit(wanted=True))

    def shown() -> PersonPresence | None:
        found = stage.bodies(PresenceUpdate, sender=outsider.name)
        return found[-1].presence if found else None

    def is_shown(basic: Basic, activity: Activity | None = None) -> bool:
        now = shown()
        return now is not None and now.basic is basic and activity in {None, now.activity}

    await until(lambda: is_shown(Basic.OPEN), "they are there")
    await thread(outsider.show, AWAY)
    await until(lambda: is_shown(Basic.OPEN, Activity.AWAY), "they are away")
    await thread(outsider.show, ONLINE)
    await until(lambda: is_shown(Basic.OPEN, Activity.AVAILABLE), "they are back")
    await thread(outsider.go)
    await until(lambda: is_shown(Basic.CLOSED), "they are gone")
    await thread(outsider.come)
    await until(lambda: is_shown(Basic.OPEN), "they are there again")
    await stage.said(account, outsider.name, ContactEdit(wanted=False))


@pytest.mark.needs("presence")
@asynchronous
async def test_presence_of_ours_goes_out(stage: Stage) -> None:
    outsider = stage.rig.outsider(0)
    if stage.capabilities.presence is Support.DROPPED:
        return
    account = await stage.up()
    await thread(outsider.watch, account)

    def seen(basic: Basic, activity: Activity | None = None) -> bool:
        now = outsider.sees(account)
        return now is not None and now.basic is basic and activity in {None, now.activity}

    def asked() -> bool:
        return any(body.wanted for body in stage.bodies(Authorization, sender=outsider.name))

    await until(lambda: asked() or seen(Basic.OPEN), "we are asked, or seen")
    if asked():
        await stage.said(account, outsider.name, Authorization(consent=Consent.GRANTED))
    await until(lambda: seen(Basic.OPEN, Activity.AVAILABLE), "we are there")
    await stage.said(account, outsider.name, PresenceUpdate(presence=AWAY))
    await until(lambda: seen(Basic.OPEN, Activity.AWAY), "we are away")
    await stage.said(account, outsider.name, PresenceUpdate(presence=ONLINE))
    await until(lambda: seen(Basic.OPEN, Activity.AVAILABLE), "we are back")
    stage.network.sign_off(account)
    await until(lambda: seen(Basic.CLOSED), "we are gone")


@asynchronous
async def test_who_is_not_there(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(1)
    await thread(outsider.go)
    results = await stage.said(account, outsider.name, "for later")
    if stage.capabilities.offline_messages is Support.DROPPED:
        await thread(outsider.come)
        failures = [result.failure for result in results if result.failure is not None]
        if stage.capabilities.relayed_receipts is not Support.DROPPED:
            assert failures, "nobody has it, and nobody is told"
        assert all(failure.reason == RECIPIENT_OFFLINE or not failure.retryable for failure in failures)
        return
    assert all(result.failure is None or not result.failure.certain for result in results)
    await thread(outsider.come)
    await stage.reaches(outsider, "for later")


@pytest.mark.needs("stores", "stores_ours")
@asynchronous
async def test_what_came_while_we_were_away(stage: Stage) -> None:
    account = stage.normal(stage.rig.accounts[1].name)
    outsider = stage.rig.outsider(0)
    await thread(outsider.send, account, "you were away")
    await pause(0.2)
    await stage.up(1)
    await until(lambda: "you were away" in stage.texts(sender=outsider.name), "what was kept")
    assert stage.texts().count("you were away") == 1
