"""The text of a channel 1 message: fragments, charsets, and what is lost when they lie.

A message's TLV 0002 is a list of fragments: id, version, two-byte length, payload. Fragment 5 lists the sender's
features, fragment 1 is text: charset, subset, bytes. A message may have several texts, which follow each other.
"""

from __future__ import annotations

from attrs import frozen

from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.reader import Reader, bytes16, u16

FRAGMENT_TEXT, FRAGMENT_FEATURES = 0x01, 0x05
CHARSET_ASCII, CHARSET_UTF16, CHARSET_LATIN1 = 0x0000, 0x0002, 0x0003
MAX_FRAGMENTS = 256
FEATURES_AIM = bytes((1, 1, 1, 2))
FEATURES_ICQ = bytes((1, 6))
_CHARSETS = {CHARSET_ASCII: "ascii", CHARSET_UTF16: "utf-16-be", CHARSET_LATIN1: "latin-1"}
# Windows clients write their own code page into what they call Latin-1: its C1 range is never meant as controls
_WINDOWS = {
    byte: bytes((byte,)).decode("cp1252") for byte in range(0x80, 0xA0) if byte not in {0x81, 0x8D, 0x8F, 0x90, 0x9D}
}


@frozen(kw_only=True)
class MessageText:
    """A message's text.

    Attributes:
        text: the text.
        charset: of the first text fragment, one of the CHARSET_ numbers (or an unknown one).
        features: the features fragment's payload.
        lossy: something could not be read as its charset and was replaced by U+FFFD.
    """

    text: str
    charset: int = CHARSET_ASCII
    features: bytes = b""
    lossy: bool = False


def best_charset(text: str) -> int:
    """ASCII if that is enough, else UTF-16BE, which every client since 1999 reads alike."""
    return CHARSET_ASCII if text.isascii() else CHARSET_UTF16


def encode_text(text: str, charset: int) -> bytes:
    """A text in a charset; raises `OscarSyntaxError` when it cannot be said in it."""
    codec = _CHARSETS.get(charset)
    if codec is None:
        raise OscarSyntaxError(f"charset {charset:#06x}: unknown")
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        raise OscarSyntaxError(f"text: not {codec}", error.start) from error


def encode_message(text: str, *, charset: int | None = None, features: bytes = FEATURES_AIM) -> bytes:
    """The value of TLV 0002; raises `OscarSyntaxError` when the text is too long or not of the charset."""
    if charset is None:
        charset = best_charset(text)
    payload = u16(charset) + u16(0) + encode_text(text, charset)
    head = bytes((FRAGMENT_FEATURES, 1)) + bytes16(features, "features")
    return head + bytes((FRAGMENT_TEXT, 1)) + bytes16(payload, "message text")


def decode_message(data: bytes) -> MessageText:
    """Read the value of TLV 0002; raises `OscarSyntaxError` when no text fragment can be found."""
    reader = Reader(data)
    texts: list[str] = []
    charset: int | None = None
    features = b""
    lossy = False
    for index in range(MAX_FRAGMENTS + 1):
        if reader.left() < 4:
            break
        if index == MAX_FRAGMENTS:
            raise OscarSyntaxError(f"message: more than {MAX_FRAGMENTS} fragments", reader.pos)
        kind = reader.u8("fragment id")
        reader.u8("fragment version")
        payload = Reader(reader.bytes16("fragment"))
        if kind == FRAGMENT_FEATURES:
            features = payload.rest()
        elif kind == FRAGMENT_TEXT:
            of_this = payload.u16("message charset")
            payload.u16("message charset subset")
            text, lost = decode_text(payload.rest(), of_this)
            texts.append(text)
            lossy = lossy or lost
            charset = of_this if charset is None else charset
    if charset is None:
        raise OscarSyntaxError("message: no text fragment", reader.pos)
    return MessageText(text="".join(texts), charset=charset, features=features, lossy=lossy)


def decode_text(raw: bytes, charset: int) -> tuple[str, bool]:
    """A fragment's bytes as text, and whether anything was replaced.

    What is called ASCII is often UTF-8 or the sender's code page: it is read as UTF-8 when it is that, else as
    Latin-1 with Windows' characters in place of the C1 controls. Unknown charsets are read like ASCII.
    """
    if charset == CHARSET_UTF16:
        try:
            return raw.decode("utf-16-be"), False
        except UnicodeDecodeError:
            return raw.decode("utf-16-be", "replace"), True
    if raw.isascii():
        return raw.decode("ascii"), False
    if charset != CHARSET_LATIN1:
        try:
            return raw.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return raw.decode("latin-1").translate(_WINDOWS), False
