"""What the bodies of MESSAGEs say: multiparts (RFC 2046, 2387, 5621), CPIM (RFC 3862), receipts (RFC 5438)."""

import base64
import zlib

import pytest

from bridge.model.body import Message, Receipt, Stage, TextPart, Typing, TypingState
from bridge.model.envelope import Draft
from mappings.content import MAX_INFLATED
from mappings.sip_content import MAX_DEPTH
from tests.unit.mappings.test_sip import DATE_SECONDS, IMDN, MAPPING, incoming, read, refused, said

PLAIN = (b"Content-Type: text/plain; charset=utf-8", "grüße".encode())
HTML = (b"Content-Type: text/html", "<b>grüße</b>".encode())
IMAGE = (b'Content-Type: image/png\r\nContent-Disposition: inline; filename="cat.png"', b"\x89PNG")


def multipart(kind: str, *parts: tuple[bytes, bytes], boundary: bytes = b"b0") -> tuple[str, bytes]:
    """A multipart body of heads and contents, and its Content-Type."""
    body = b"".join(
        b"--" + boundary + b"\r\n" + head + (b"\r\n" if head else b"") + b"\r\n" + content + b"\r\n"
        for head, content in parts
    )
    return f"multipart/{kind};boundary={boundary.decode()}", body + b"--" + boundary + b"--\r\n"


def _draft(kind: str, *parts: tuple[bytes, bytes], **more: object) -> Draft:
    content_type, body = multipart(kind, *parts)
    return read(incoming(body, content_type=content_type, **more))


def _texts(draft: Draft) -> list[str]:
    assert isinstance(draft.body, Message)
    return [part.text for part in draft.body.parts if isinstance(part, TextPart)]


def _losses(draft: Draft) -> list[tuple[str, str]]:
    return [(loss.feature, loss.detail) for loss in draft.losses]


def test_of_alternatives_the_last_is_the_best() -> None:
    draft = _draft("alternative", PLAIN, HTML)
    assert isinstance(draft.body, Message)
    assert draft.body.parts == (TextPart(text="grüße", html="<b>grüße</b>"),)
    assert draft.losses == ()


def test_of_alternatives_the_last_that_is_carried() -> None:
    draft = _draft("alternative", PLAIN, IMAGE)
    assert _texts(draft) == ["grüße"]
    assert _losses(draft) == [("alternative", "image/png is not carried")]


def test_alternatives_of_which_none_is_carried() -> None:
    content_type, body = multipart("alternative", IMAGE, IMAGE)
    assert refused(incoming(body, content_type=content_type)).feature == "content-type"


def test_an_alternative_that_fails_leaves_nothing_behind() -> None:
    inner_type, inner = multipart(
        "mixed",
        PLAIN,
        (b"Content-Type: image/png\r\nContent-Disposition: render;handling=required", b"x"),
        boundary=b"i",
    )
    draft = _draft("alternative", (b"", b"plain"), (f"Content-Type: {inner_type}".encode(), inner))
    assert _texts(draft) == ["plain"]


def test_of_mixed_parts_what_is_carried_and_a_word_of_the_rest() -> None:
    draft = _draft("mixed", PLAIN, IMAGE, (b"", b"second"))
    assert _texts(draft) == ["grüße", "second"]
    assert _losses(draft) == [("attachment", "image/png 'cat.png', 4 bytes")]


def test_an_unknown_kind_of_multipart_is_read_as_mixed() -> None:
    assert _texts(_draft("x-new", PLAIN, IMAGE)) == ["grüße"]


@pytest.mark.parametrize(("handling", "taken"), [("optional", True), ("required", False), ("Required", False)])
def test_a_part_that_must_be_understood(handling: str, taken: bool) -> None:
    """RFC 5621 section 8, RFC 3261 section 20.11."""
    image = (f"Content-Type: image/png\r\nContent-Disposition: attachment; handling={handling}".encode(), b"x")
    content_type, body = multipart("mixed", PLAIN, image)
    native = incoming(body, content_type=content_type)
    if taken:
        assert said(native).text == "grüße"
    else:
        assert refused(native).feature == "content-type"


def test_of_related_parts_the_root_is_read() -> None:
    root = (b"Content-Type: text/html\r\nContent-ID: <root@x>", b'<p>see <img src="cid:cat@x"></p>')
    cat = (b"Content-Type: image/png\r\nContent-ID: <cat@x>", b"png")
    content_type, body = multipart("related", cat, root)
    draft = read(incoming(body, content_type=f'{content_type};start="<root@x>";type="text/html"'))
    assert _texts(draft)[0].startswith("see")
    assert ("attachment", "image/png, 3 bytes") in _losses(draft)
    assert _texts(_draft("related", root, cat))[0].startswith("see")  # without start the first is the root


def test_what_is_encoded_twice_and_compressed() -> None:
    head = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\nContent-Encoding: deflate"
    assert _texts(_draft("mixed", (head, base64.b64encode(zlib.compress(b"hello"))))) == ["hello"]


@pytest.mark.parametrize("coding", ["deflate", "gzip"])
@pytest.mark.parametrize(
    ("content_type", "body", "told"),
    [
        ("text/plain", b"hi", TextPart(text="hi")),
        ("text/html", b"<i>hi</i>", TextPart(text="hi", html="<i>hi</i>")),
        ("application/im-iscomposing+xml", b"<isComposing><state>active</state></isComposing>", TypingState.ACTIVE),
        ("message/imdn+xml", IMDN % (b"display", b"displayed", b"display"), Stage.DISPLAYED),
        (
            "message/cpim",
            b"From: <sip:alice@corp.example>\r\n\r\nContent-Type: text/plain\r\n\r\nhi",
            TextPart(text="hi"),
        ),
        (*multipart("mixed", (b"", b"hi")), TextPart(text="hi")),
    ],
    ids=["plain", "html", "typing", "imdn", "cpim", "multipart"],
)
def test_whatever_is_taken_may_be_compressed(coding: str, content_type: str, body: bytes, told: object) -> None:
    packing = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    packed = packing.compress(body) + packing.flush()
    found = read(incoming(packed, content_type=content_type, headers=(("Content-Encoding", coding),))).body
    shown: object = None
    if isinstance(found, Message):
        shown = found.parts[0]
    elif isinstance(found, Typing):
        shown = found.state
    elif isinstance(found, Receipt):
        shown = found.stage
    assert shown == told


def test_what_parts_unfold_to_is_bounded_together() -> None:
    half = zlib.compress(b"a" * (MAX_INFLATED * 2 // 3))
    head = b"Content-Type: text/plain\r\nContent-Encoding: deflate"
    assert len(_texts(_draft("mixed", (head, half)))[0]) == MAX_INFLATED * 2 // 3
    content_type, body = multipart("mixed", (head, half), (head, half))
    assert refused(incoming(body, content_type=content_type)).feature == "length"


def test_nesting_is_bounded() -> None:
    def nested(levels: int) -> tuple[str, bytes]:
        content_type, body = "text/plain", b"deep"
        for level in range(levels):
            head = f"Content-Type: {content_type}".encode()
            content_type, body = multipart("mixed", (head, body), boundary=b"l%d" % level)
        return content_type, body

    content_type, body = nested(MAX_DEPTH)
    assert said(incoming(body, content_type=content_type)).text == "deep"
    content_type, body = nested(MAX_DEPTH + 1)
    assert refused(incoming(body, content_type=content_type)).feature == "malformed"


def test_the_number_of_parts_is_bounded() -> None:
    inner_type, inner = multipart("mixed", *[(b"", b"x")] * 30, boundary=b"i")
    content_type, body = multipart("mixed", *[(f"Content-Type: {inner_type}".encode(), inner)] * 30)
    assert refused(incoming(body, content_type=content_type)).feature == "malformed"


# CPIM


def cpim(
    *headers: str, content: str = "Content-Type: text/plain\r\n\r\nhi", sender: str = "alice@corp.example"
) -> bytes:
    """A CPIM message from a sender to theboogyman."""
    head = [f"From: <sip:{sender}>", "To: <sip:theboogyman@aim.corp.example>", "NS: imdn <urn:ietf:params:imdn>"]
    return "\r\n".join([*head, *headers, "", content]).encode()


def _cpim(*headers: str, **more: str) -> Draft:
    return read(incoming(cpim(*headers, **more), content_type="message/cpim"))


ASKING = ("DateTime: 1994-11-06T08:49:37Z", "imdn.Message-ID: 34jk324j")


@pytest.mark.parametrize(
    ("asked", "wants"),
    [
        ("positive-delivery", (Stage.DELIVERED,)),
        ("positive-delivery, negative-delivery", (Stage.DELIVERED, Stage.FAILED)),
        ("Display,processing;x=y", (Stage.DISPLAYED, Stage.RELAYED)),
        ("unheard-of", ()),
        ("", ()),
    ],
)
def test_what_receipts_are_asked_for(asked: str, wants: tuple[Stage, ...]) -> None:
    draft = _cpim(*ASKING, f"imdn.Disposition-Notification: {asked}")
    assert isinstance(draft.body, Message)
    assert draft.body.wants == wants
    assert draft.body.message_id == ("34jk324j" if wants else None)
    assert draft.claimed_at == DATE_SECONDS


@pytest.mark.parametrize("lacking", ASKING)
def test_receipts_need_a_message_id_and_a_date(lacking: str) -> None:
    """RFC 5438 section 6.1.1."""
    draft = _cpim(*(one for one in ASKING if one != lacking), "imdn.Disposition-Notification: display")
    assert isinstance(draft.body, Message)
    assert draft.body.wants == ()
    assert [feature for feature, _ in _losses(draft)] == ["receipts"]


def test_what_is_required_and_not_known_is_refused() -> None:
    refusal = refused(incoming(cpim("NS: x <urn:x>", "Require: x.Vital", "x.Vital: 1"), content_type="message/cpim"))
    assert (refusal.feature, "x.Vital" in refusal.reason) == ("require", True)
    assert _texts(_cpim(*ASKING, "Require: imdn.Message-ID, Subject")) == ["hi"]


def test_every_from_is_checked() -> None:
    two = cpim("From: <sip:ceo@corp.example>")
    assert refused(incoming(two, content_type="message/cpim")).feature == "sender"
    inside = cpim(content="Content-Type: message/cpim\r\n\r\n" + cpim(sender="ceo@corp.example").decode())
    assert refused(incoming(inside, content_type="message/cpim")).feature == "sender"
    content_type, wrapped = multipart("mixed", PLAIN, (b"Content-Type: message/cpim", cpim(sender="ceo@corp.example")))
    assert refused(incoming(wrapped, content_type=content_type)).feature == "sender"
    prefixed = cpim("NS: c <urn:ietf:params:cpim-headers:>", "c.From: <sip:ceo@corp.example>")
    assert refused(incoming(prefixed, content_type="message/cpim")).feature == "sender"


def test_a_subject_in_the_language_of_the_message() -> None:
    native = incoming(
        cpim("Subject: lunch", "Subject:;lang=fr déjeuner"),
        content_type="message/cpim",
        headers=(("Content-Language", "fr"),),
    )
    assert said(native).subject == "déjeuner"
    assert said(incoming(cpim(r"Subject: a\u0041\n  b"), content_type="message/cpim")).subject == "aA b"


# Receipts


def test_a_receipt_in_cpim_is_a_receipt() -> None:
    document = (IMDN % (b"delivery", b"delivered", b"delivery")).decode()
    content = f"Content-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n{document}"
    draft = _cpim(*ASKING, "imdn.Disposition-Notification: positive-delivery", content=content)
    assert isinstance(draft.body, Receipt)
    assert (draft.body.target, draft.body.stage) == ("34jk324j", Stage.DELIVERED)
    assert draft.body.durable is False


def test_aggregated_receipts_are_as_many_receipts_and_no_text() -> None:
    """RFC 5438 section 8.3: several notifications in one multipart/mixed."""
    parts = [
        (b"Content-Type: message/imdn+xml", (IMDN % (b"delivery", word, b"delivery")).replace(b"34jk324j", name))
        for name, word in ((b"one", b"delivered"), (b"two", b"failed"))
    ]
    content_type, body = multipart("mixed", (b"", b"what people read of it"), *parts)
    drafts = MAPPING.to_canonical(incoming(body, content_type=content_type))
    assert isinstance(drafts, tuple)
    bodies = [draft.body for draft in drafts]
    assert [(one.target, one.stage) for one in bodies if isinstance(one, Receipt)] == [
        ("one", Stage.DELIVERED),
        ("two", Stage.FAILED),
    ]
    assert len(bodies) == 2
