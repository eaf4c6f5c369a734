"""What people say on a switchboard: text and its format, typing, nudges, invitations."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

from attrs import frozen

from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.mime import Mime

TEXT = "text/plain"
TYPING = "text/x-msmsgscontrol"
DATACAST = "text/x-msnmsgr-datacast"
INVITE = "text/x-msmsgsinvite"
P2P = "application/x-msnmsgrp2p"
SILENT = frozenset(
    {"text/x-clientcaps", "text/x-keepalive", "text/x-imleft", "text/x-mms-emoticon", "text/x-mms-animemoticon"}
)
"""Kinds that say nothing to a person: a client's abilities, its keep-alive, pictures for words of a text."""
MAX_FONT = 64
_EFFECTS = frozenset("BISU")
FILE_TRANSFER_GUID = "5D3E02AB-6190-11D3-BBBB-00C04F795683"


@frozen(kw_only=True)
class Format:
    """How a whole text looks (X-MMS-IM-Format).

    Attributes:
        font: its name, empty where none is told.
        effects: some of ``B I S U``: bold, italic, struck through, underlined.
        colour: ``rrggbb`` in hexadecimal; the wire has it the other way round (blue first).
        right_to_left: the text runs so.
    """

    font: str = ""
    effects: frozenset[str] = frozenset()
    colour: str = ""
    right_to_left: bool = False

    def encode(self) -> str:
        """The header's value."""
        blue_first = self.colour[4:6] + self.colour[2:4] + self.colour[0:2]
        colour = blue_first.lstrip("0") or "0"
        font = quote(self.font.encode("utf-8", "replace"))
        effects = "".join(effect for effect in "BISU" if effect in self.effects)
        direction = "; RL=1" if self.right_to_left else ""
        return f"FN={font}; EF={effects}; CO={colour}; CS=0; PF=22{direction}"

    @classmethod
    def decode(cls, value: str) -> Format:
        """Reads a header's value; what is not understood says nothing."""
        fields: dict[str, str] = {}
        for part in value.split(";")[:16]:
            name, _, text = part.partition("=")
            fields[name.strip().upper()] = text.strip()
        font = unquote_to_bytes(fields.get("FN", "").encode("utf-8", "replace")).decode("utf-8", "replace")
        return cls(
            font=font[:MAX_FONT],
            effects=frozenset(fields.get("EF", "").upper()) & _EFFECTS,
            colour=_colour(fields.get("CO", "")),
            right_to_left=fields.get("RL") == "1",
        )


def _colour(blue_first: str) -> str:
    digits = blue_first.lower().rjust(6, "0")[-6:]
    if not blue_first or any(digit not in "0123456789abcdef" for digit in digits):
        return ""
    return digits[4:6] + digits[2:4] + digits[0:2]


def text_message(text: str, look: Format | None) -> Mime:
    """A text as a message. Line ends go as CR LF."""
    headers = [("MIME-Version", "1.0"), ("Content-Type", "text/plain; charset=UTF-8")]
    if look is not None:
        headers.append(("X-MMS-IM-Format", look.encode()))
    return Mime(tuple(headers), text.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8", "replace"))


def read_text(message: Mime) -> tuple[str, bool]:
    """The text of a message, and whether bytes in it are none of its charset (UTF-8 where none is told)."""
    charset = message.charset or "utf-8"
    codec = {"utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8", "ascii": "utf-8"}.get(charset, charset)
    if codec not in {"utf-8", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16", "gb2312", "big5", "shift_jis"}:
        codec = "utf-8"
    try:
        return message.body.decode(codec), False
    except UnicodeDecodeError:
        return message.body.decode(codec, "replace"), True


def typing_message(who: str) -> Mime:
    """Says that somebody types."""
    return Mime((("MIME-Version", "1.0"), ("Content-Type", TYPING), ("TypingUser", who)), b"\r\n")


@frozen(kw_only=True)
class Datacast:
    """A nudge (1), a wink (2), a voice clip (3) or an action text (4)."""

    id: int
    data: str = ""

    @classmethod
    def decode(cls, message: Mime) -> Datacast:
        """Reads the fields in the body. Raises `MsnpSyntaxError`."""
        fields = body_fields(message.body)
        number = fields.get("id", "")
        if not (number.isascii() and number.isdigit() and len(number) < 6):
            raise MsnpSyntaxError(f"datacast: no id: {number[:20]!a}")
        return cls(id=int(number), data=fields.get("data", ""))


@frozen(kw_only=True)
class Invitation:
    """An invitation of the older kind (text/x-msmsgsinvite): to a file, a voice call, a program."""

    command: str
    cookie: str
    application: str = ""
    file: str = ""

    @classmethod
    def decode(cls, message: Mime) -> Invitation:
        """Reads the fields in the body. Raises `MsnpSyntaxError`."""
        fields = body_fields(message.body)
        if "invitation-command" not in fields:
            raise MsnpSyntaxError("an invitation without a command")
        return cls(
            command=fields["invitation-command"].upper(),
            cookie=fields.get("invitation-cookie", "")[:64],
            application=fields.get("application-name", ""),
            file=fields.get("application-file", ""),
        )

    def declined(self) -> Mime:
        """The answer that declines it."""
        headers = (("MIME-Version", "1.0"), ("Content-Type", f"{INVITE}; charset=UTF-8"))
        lines = ("Invitation-Command: CANCEL", f"Invitation-Cookie: {self.cookie}", "Cancel-Code: REJECT", "", "")
        return Mime(headers, "\r\n".join(lines).encode("utf-8", "replace"))


def body_fields(body: bytes) -> dict[str, str]:
    """The lines ``name: value`` of a body, by name in lower case."""
    fields: dict[str, str] = {}
    for line in body[:4096].decode("utf-8", "replace").splitlines()[:64]:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def p2p_proposal(message: Mime) -> str | None:
    """What a peer-to-peer INVITE proposes by its GUID (MSNSLP); None where the message is no INVITE."""
    text = message.body[:4096].decode("latin-1")
    if "INVITE MSNMSGR:" not in text.upper():
        return None
    _, _, rest = text.upper().partition("EUF-GUID:")
    return rest.strip()[:38].strip("{}").partition("}")[0]
