"""Messages: both ways, every kind of text, in order, cut where they may be cut, and never lost without a word."""

from contextlib import suppress
from functools import partial

import pytest

from bridge.model.body import Message, TextPart
from bridge.model.body import Stage as Reached
from bridge.model.capabilities import LinkState, SendResult, Support
from bridge.model.envelope import Translated, Unmappable
from tests.kit.conformance.rig import Outsider
from tests.kit.conformance.stage import NeverError, Sending, Stage, asynchronous, message, pause, thread, until
from tests.kit.conformance.texts import BROKEN, TEXTS, graphemes, long_text


def heard_by(outsider: Outsider, since: int) -> list[str]:
    return [each.text for each in outsider.heard() if each.kind == "message"][since:]


def count(outsider: Outsider) -> int:
    return len(heard_by(outsider, 0))


async def new_words(outsider: Outsider, since: int, number: int, what: str) -> list[str]:
    """Waits until somebody has heard so many messages more; gives them."""

    def found() -> list[str] | None:
        words = heard_by(outsider, since)
        return words if len(words) >= number else None

    words: list[str] = await until(found, what)
    return words


def _came(stage: Stage, outsider: Outsider, since: int) -> list[str]:
    return stage.texts(sender=outsider.name)[since:]


@asynchronous
async def test_every_kind_of_text_goes_out(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    for name, text in TEXTS.items():
        since = count(outsider)
        translated = stage.translated(account, outsider.name, message(text))
        assert isinstance(translated, Translated), f"{name}: {translated}"
        for native in translated.natives:
            (result,) = await stage.ended(stage.send(native))
            assert result.failure is None, f"{name}: {result}"
        heard = await new_words(outsider, since, len(translated.natives), name)
        if not translated.losses:
            assert _joined(heard, text), f"{name}: {heard!r} is not {text!r}, and no loss is reported"


def _said(pieces: list[str]) -> str:
    """Pieces as one text without its blanks: at the end of a piece one may be lost, or be a no-break space (HTML)."""
    return "".join(pieces).replace(" ", "").replace("\u00a0", "")


def _came_whole(stage: Stage, outsider: Outsider, since: int, text: str) -> bool:
    return _joined(stage.texts(sender=outsider.name)[since:], text)


def _joined(heard: list[str], text: str) -> bool:
    """Whether pieces are a text: a line end may be where one message ends and the next begins."""
    return "".join(heard) == text or "\n".join(heard) == "\n".join(line for line in text.split("\n") if line)


@asynchronous
async def test_what_may_not_cross_is_taken_out_with_a_loss_or_refused(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    for name, text in BROKEN.items():
        since = count(outsider)
        translated = stage.translated(account, outsider.name, message(text))
        if isinstance(translated, Unmappable):
            continue
        results = [(await stage.ended(stage.send(native)))[0] for native in translated.natives]
        if any(result.failure is not None for result in results):
            assert all(not result.failure.retryable for result in results if result.failure is not None), name
            continue
        heard = "".join(await new_words(outsider, since, len(translated.natives), name))
        assert translated.losses or heard == text, f"{name}: {heard!r}, and no loss is reported"
        assert not set(heard) & {chr(code) for code in range(32) if chr(code) not in "\t\n"}, f"{name}: {heard!r}"
        assert heard.startswith("a"), name
        assert heard.endswith(text[-1]), name


@asynchronous
async def test_every_kind_of_text_comes_in(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    for name, written in TEXTS.items():
        text = stage.rig.sayable(written)  # what no client of the network can send is not sent
        since = len(stage.texts(sender=outsider.name))
        await thread(outsider.send, account, text)
        came = await until(partial(_came, stage, outsider, since), name)
        losses = [loss for draft in stage.drafts()[-len(came) :] for loss in draft.losses]
        if not losses:
            came_all = partial(_came_whole, stage, outsider, since, text)
            await until(came_all, f"{name}: {came!r} is not {text!r}, and no loss is reported")


@asynchronous
async def test_order_in_a_conversation(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    texts = [f"number {number:03}" for number in range(stage.rig.burst)]
    sendings = [sending for text in texts for sending in stage.post(account, outsider.name, text)]
    results = await stage.ended(*sendings, seconds=120.0)
    assert all(result.failure is None for result in results)
    await stage.reaches(outsider, texts[-1])
    assert [text for text in heard_by(outsider, 0) if text in texts] == texts
    for text in texts:
        await thread(outsider.send, account, text)
    await until(lambda: texts[-1] in stage.texts(sender=outsider.name), "the last one")
    assert [text for text in stage.texts(sender=outsider.name) if text in texts] == texts


@asynchronous
async def test_two_conversations_of_two_accounts_stay_apart(stage: Stage) -> None:
    accounts = [await stage.up(number) for number in (0, 1)]
    outsiders = [stage.rig.outsider(number) for number in (0, 1)]
    for account in accounts:
        for outsider in outsiders:
            await stage.said(account, outsider.name, f"{account} to {outsider.name}")
            await stage.reaches(outsider, f"{account} to {outsider.name}")
            await thread(outsider.send, account, f"{outsider.name} to {account}")
    wanted = {
        (outsider.name, account, f"{outsider.name} to {account}") for account in accounts for outsider in outsiders
    }

    def came() -> set[tuple[str, str, str]]:
        return {
            (draft.sender.address.user, draft.origin.account, draft.body.text)
            for draft in stage.drafts()
            if isinstance(draft.body, Message) and not draft.body.automatic
        }

    await until(lambda: wanted <= came(), "all four")
    keys = {draft.conversation for draft in stage.drafts() if isinstance(draft.body, Message)}
    assert len(keys) == 4
    for outsider in outsiders:
        other = next(each.name for each in outsiders if each is not outsider)
        assert not [text for text in heard_by(outsider, 0) if text.endswith(f"to {other}")]
        senders = {each.text: each.sender for each in outsider.heard() if each.kind == "message"}
        for account in accounts:
            assert stage.normal(senders[f"{account} to {outsider.name}"]) == account


@asynchronous
async def test_a_long_text_is_cut_between_graphemes_or_refused(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    text = long_text(stage.capabilities.max_text_bytes)
    since = count(outsider)
    translated = stage.translated(account, outsider.name, message(text))
    assert isinstance(translated, Translated), translated
    assert len(translated.natives) > 1, "longer than the limit that is declared"
    for native in translated.natives:
        (result,) = await stage.ended(stage.send(native))
        assert result.failure is None, result
    pieces = await new_words(outsider, since, len(translated.natives), "each piece")
    assert _said(pieces) == _said([text]), [(len(piece), piece[:9], piece[-9:]) for piece in pieces]
    clusters = [cluster for piece in pieces for cluster in graphemes(piece) if cluster not in " \u00a0"]
    assert clusters == [cluster for cluster in graphemes(text) if cluster != " "], "a cluster was cut"


@asynchronous
async def test_a_text_at_the_limit_goes_whole(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    text = "x" * min(stage.capabilities.max_text_bytes, 20_000)
    await stage.said(account, outsider.name, text)
    await until(lambda: "".join(heard_by(outsider, 0)).endswith(text), "all of it")


@asynchronous
async def test_the_same_envelope_makes_the_same_natives(stage: Stage) -> None:
    """A retry is the same message with the same name, or nobody could tell it from another."""
    account = stage.normal(stage.rig.accounts[0].name)
    event = stage.envelope(account, stage.rig.outsider(0).name, message("again " + long_text(9000)))
    mapping, caps = stage.network.link.mapping, stage.capabilities
    first = mapping.from_canonical(event, event.recipients[0], account, caps)
    assert first == mapping.from_canonical(event, event.recipients[0], account, caps)
    assert isinstance(first, Translated)
    other = stage.envelope(account, stage.rig.outsider(0).name, message("again " + long_text(9000)))
    assert first != mapping.from_canonical(other, other.recipients[0], account, caps), "two messages are two"


async def broken(stage: Stage, sending: Sending) -> SendResult:
    """Breaks the connection until a send has ended: a request that is made once more has no answer there either."""
    for _ in range(30):
        stage.proxy.drop()
        with suppress(NeverError):
            return (await stage.ended(sending, seconds=1.0))[0]
    raise NeverError(f"never: the end of {sending}")


@asynchronous
async def test_what_was_not_answered_before_a_break_is_unknown_and_can_be_sent_again(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    # where a conversation has to be opened first, what waits for that has certainly not gone
    await stage.ended(*stage.post(account, outsider.name, "the line is good"))
    stage.proxy.freeze()
    (sending,) = stage.post(account, outsider.name, "sent, and the line goes dead")
    await pause(0.3)
    result = await broken(stage, sending)
    if stage.capabilities.relayed_receipts is Support.DROPPED:
        assert result.stage in {Reached.UNKNOWN, Reached.ACCEPTED}, "nobody has acknowledged it"
    else:
        assert result.stage is Reached.UNKNOWN
        assert result.failure is not None
        assert (result.failure.retryable, result.failure.certain) == (True, False)
    stage.proxy.thaw()
    await stage.state(account, LinkState.UP, since=len(stage.changes(account)))
    again = stage.send(sending.native, key=sending.key)
    (second,) = await stage.ended(again)
    assert second.failure is None
    await stage.reaches(outsider, "sent, and the line goes dead")
    await pause(0.3)
    assert heard_by(outsider, 0).count("sent, and the line goes dead") <= 2


@asynchronous
async def test_what_never_reached_the_server_is_not_said_to_have(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    stage.proxy.swallowing = True
    (sending,) = stage.post(account, outsider.name, "swallowed")
    await pause(0.3)
    assert not sending.results or sending.results[0].stage in {Reached.UNKNOWN, Reached.ACCEPTED}
    result = await broken(stage, sending)
    assert result.stage in {Reached.UNKNOWN, Reached.FAILED, Reached.ACCEPTED}
    stage.proxy.swallowing = False
    await stage.state(account, LinkState.UP, since=len(stage.changes(account)))
    assert "swallowed" not in heard_by(outsider, 0)


@asynchronous
async def test_a_send_under_way_is_not_begun_twice(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    stage.proxy.freeze()
    (first,) = stage.post(account, outsider.name, "only once")
    second = stage.send(first.native, key=first.key)
    stage.proxy.thaw()
    await stage.ended(first, second)
    await stage.reaches(outsider, "only once")
    await pause(0.3)
    assert heard_by(outsider, 0).count("only once") == 1


@pytest.mark.needs("redelivers", "connection")
@asynchronous
async def test_what_was_not_recorded_comes_again(stage: Stage) -> None:
    account = stage.normal(stage.rig.accounts[0].name)
    outsider = stage.rig.outsider(0)
    await thread(outsider.send, account, "keep this until it is on record")
    stage.door.holding = True
    await stage.up()

    def came() -> int:
        return stage.texts(sender=outsider.name).count("keep this until it is on record")

    await until(lambda: came() == 1, "the first time")
    since = len(stage.changes(account))
    stage.proxy.drop()
    await stage.state(account, LinkState.UP, since=since)
    await until(lambda: came() == 2, "again, for it was not recorded")
    ids = {d.origin.remote_id for d in stage.drafts() if isinstance(d.body, Message) and not d.body.automatic}
    assert len(ids) == 1, "it is known again by its id"
    stage.door.holding = False
    stage.door.record()
    await pause(0.5)
    since = len(stage.changes(account))
    stage.proxy.drop()
    await stage.state(account, LinkState.UP, since=since)
    await thread(outsider.send, account, "a new one")
    await until(lambda: "a new one" in stage.texts(sender=outsider.name), "a new one")
    assert came() == 2, "recorded: the network has let it go"


@pytest.mark.needs("redelivers")
@asynchronous
async def test_what_was_not_recorded_when_we_ended_comes_again(stage: Stage) -> None:
    account = stage.normal(stage.rig.accounts[0].name)
    outsider = stage.rig.outsider(0)
    text = "not on record when the process ends"
    await thread(outsider.send, account, text)
    stage.door.holding = True
    await stage.up()
    await until(lambda: stage.texts(sender=outsider.name).count(text) == 1, "the first time")
    await stage.network.stop(drain=0.0)
    stage.door.holding = False
    stage.door.held.clear()  # nobody says any more that it is
    stage.network = stage.build()
    await stage.network.start(stage.door)
    await stage.up()
    await until(lambda: stage.texts(sender=outsider.name).count(text) == 2, "again, for it was not recorded")
    assert len({d.origin.remote_id for d in stage.drafts() if getattr(d.body, "text", "") == text}) == 1


@asynchronous
async def test_late_words_of_the_record_do_no_harm(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    stage.door.holding = True
    await thread(outsider.send, account, "recorded late")
    await until(lambda: "recorded late" in stage.texts(), "it")
    await stage.broken(account)
    stage.door.record()
    stage.network.sign_off(account)
    stage.door.holding = False
    stage.door.record()


@asynchronous
async def test_a_formatted_text(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    body = Message(parts=(TextPart(text="very important", html="<p>very <b>important</b></p>"),))
    translated = stage.translated(account, outsider.name, body)
    assert isinstance(translated, Translated)
    if stage.capabilities.html is Support.DROPPED:
        assert translated.losses, "formatting that is not carried is a loss"
    for native in translated.natives:
        await stage.ended(stage.send(native))
    await until(lambda: [t for t in heard_by(outsider, 0) if t.strip() == "very important"], "the text, without tags")
