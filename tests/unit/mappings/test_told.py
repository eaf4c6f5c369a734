"""What is about an earlier message, told in words: the text, its formatting, and what must not come back with it."""

from __future__ import annotations

from bridge.model.body import Attachment, Edit, Message, Stage, TextPart
from bridge.model.ids import RemoteMessageId
from mappings.richtext import from_part, to_html, to_plain
from mappings.told import told

TARGET = RemoteMessageId("m1")


def corrected(*parts: TextPart | Attachment, **more: object) -> Message:
    message, loss = told(Edit(target=TARGET, replacement=Message(parts=parts, **more)))  # type: ignore[arg-type]
    assert loss.feature == "edit"
    return message


def test_a_correction_keeps_its_formatting() -> None:
    (part,) = corrected(TextPart(text="at noon", html="at <b>noon</b>")).parts
    assert isinstance(part, TextPart)
    rich = from_part(part)
    assert (to_plain(rich), to_html(rich)) == ("[corrected] at noon", "[corrected] at <b>noon</b>")
    assert not rich.losses


def test_markup_that_begins_with_a_tag_stays_whole() -> None:
    (part,) = corrected(TextPart(text="noon", html="<b>noon</b>")).parts
    assert isinstance(part, TextPart)
    assert to_html(from_part(part)) == "[corrected] <b>noon</b>"


def test_a_text_that_was_redacted_does_not_come_back_with_its_markup() -> None:
    """Whatever the redaction has left beside the text: what does not say the same is not believed."""
    (part,) = corrected(TextPart(text="my number is ████", html="my number is <b>4111</b>")).parts
    assert isinstance(part, TextPart)
    rich = from_part(part)
    assert "4111" not in to_html(rich)
    assert to_plain(rich) == "[corrected] my number is ████"


def test_a_correction_that_begins_with_a_file_says_it_in_its_first_text() -> None:
    file = Attachment(blob_ref="b", media_type="image/png", size=1, sha256="0" * 64, name="plan.png")
    assert corrected(file, TextPart(text="see")).parts == (file, TextPart(text="[corrected] see"))
    assert corrected(file).parts == (TextPart(text="[corrected]"), file)


def test_an_empty_correction_says_that_it_is_one() -> None:
    assert corrected().text == "[corrected]"


def test_nobody_is_asked_for_receipts_of_what_is_told_in_words() -> None:
    part = TextPart(text="noon")
    assert corrected(part, wants=(Stage.DELIVERED,), message_id=RemoteMessageId("m2")).wants == ()
