"""Messages that the server keeps for somebody who is away: told of by the notification server, moved by SOAP.

From MSNP11 on. What waits is told as ``Mail-Data``; each has a GUID and is fetched, then deleted.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from calendar import timegm
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import parsedate_tz

from attrs import frozen

from transports.msnp.wire import soap, xml
from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.mime import Mime

RSI = "http://www.hotmail.msn.com/ws/2004/09/oim/rsi"
STORE = "http://messenger.msn.com/ws/2004/09/oim/"
TOO_LARGE = "too-large"
MAX_WAITING = 100
_LINE = 76


@frozen(kw_only=True)
class Waiting:
    """A message that waits on the server."""

    id: str
    sender: str
    name: str = ""


def read_mail_data(value: str) -> list[Waiting] | None:
    """What ``Mail-Data`` lists; None where the list itself has to be fetched. Raises `MsnpSyntaxError`."""
    if value.strip() == TOO_LARGE:
        return None
    if not value.strip():
        return []
    root = xml.parse(value.encode("utf-8", "replace"), "Mail-Data")
    found: list[Waiting] = []
    for item in xml.find_all(root, "M"):
        guid, sender = xml.text_of(item, "I"), xml.text_of(item, "E")
        if guid and sender and len(guid) <= 64 and len(found) < MAX_WAITING:
            found.append(Waiting(id=guid, sender=sender, name=decoded(xml.text_of(item, "N"))))
    return found


def decoded(value: str) -> str:
    """The text of a header with encoded words (RFC 2047)."""
    try:
        parts = decode_header(value)
        return "".join(
            part if isinstance(part, str) else part.decode(charset or "utf-8", "replace") for part, charset in parts
        ).strip()
    except (HeaderParseError, LookupError, ValueError):
        return value


def _rsi(name: str, ticket: str, inner: str) -> bytes:
    token, _, profile = ticket.partition("&p=")
    header = (
        f'<PassportCookie xmlns="{RSI}"><t>{xml.escape(token.removeprefix("t="))}</t>'
        f"<p>{xml.escape(profile)}</p></PassportCookie>"
    )
    return soap.envelope(header, f'<{name} xmlns="{RSI}">{inner}</{name}>')


def get_metadata(ticket: str) -> tuple[str, bytes]:
    """SOAPAction and body that ask for the list of what waits."""
    return f"{RSI}/GetMetadata", _rsi("GetMetadata", ticket, "")


def read_metadata(body: bytes) -> list[Waiting]:
    """Raises `SoapFault` and `MsnpSyntaxError`."""
    root = soap.read(body, "GetMetadata")
    found: list[Waiting] = []
    for item in xml.find_all(root, "M"):
        guid, sender = xml.text_of(item, "I"), xml.text_of(item, "E")
        if guid and sender and len(guid) <= 64 and len(found) < MAX_WAITING:
            found.append(Waiting(id=guid, sender=sender, name=decoded(xml.text_of(item, "N"))))
    return found


def get_message(ticket: str, guid: str) -> tuple[str, bytes]:
    """SOAPAction and body that ask for one message."""
    inner = f"<messageId>{xml.escape(guid)}</messageId><alsoMarkAsRead>false</alsoMarkAsRead>"
    return f"{RSI}/GetMessage", _rsi("GetMessage", ticket, inner)


def delete_messages(ticket: str, guids: tuple[str, ...]) -> tuple[str, bytes]:
    """SOAPAction and body that have the server forget messages."""
    ids = "".join(f"<messageId>{xml.escape(guid)}</messageId>" for guid in guids)
    return f"{RSI}/DeleteMessages", _rsi("DeleteMessages", ticket, f"<messageIds>{ids}</messageIds>")


@frozen(kw_only=True)
class Stored:
    """A message as it was kept. `sent_at` is seconds since the epoch, where it tells."""

    text: str
    lossy: bool
    sender: str
    sent_at: int | None
    raw: bytes


def read_message(body: bytes) -> Stored:
    """The answer to `get_message`. Raises `SoapFault` and `MsnpSyntaxError`."""
    root = soap.read(body, "GetMessage")
    found = xml.find(root, "GetMessageResult")
    if found is None or not found.text:
        raise MsnpSyntaxError("GetMessage: no message")
    raw = found.text.strip().encode("utf-8", "replace")
    mail = Mime.decode(raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    data = mail.body
    if (mail.get("Content-Transfer-Encoding") or "").lower() == "base64":
        try:
            data = b64decode(b"".join(data.split()), validate=True)
        except (Base64Error, ValueError) as error:
            raise MsnpSyntaxError("GetMessage: not base64") from error
    try:
        text, lossy = data.decode("utf-8"), False
    except UnicodeDecodeError:
        text, lossy = data.decode("utf-8", "replace"), True
    sender = (mail.get("From") or "").rpartition("<")[2].strip(" >")
    return Stored(text=text, lossy=lossy, sender=sender, sent_at=_time(mail), raw=raw)


def _time(mail: Mime) -> int | None:
    for name in ("X-OriginalArrivalTime", "Date"):
        when = parsedate_tz((mail.get(name) or "").partition(" FILETIME")[0].replace("(UTC)", "+0000").split(".")[0])
        if when is not None:
            try:
                return timegm((*when[:6], 0, 1, 0)) - (when[9] or 0)
            except (ValueError, OverflowError):
                return None
    return None


def store(
    *, ticket: str, lock_key: str, sender: str, name: str, to: str, text: str, run_id: str, number: int, product: str
) -> tuple[str, bytes]:
    """SOAPAction and body that have the server keep a message.

    Args:
        ticket: for messengersecure.live.com.
        lock_key: the answer to the service's challenge; empty at the first attempt.
        run_id: a GUID, the same for all messages of a sign-on. number: counts them from 1.
        product: the product id that answers challenges.
    """
    friendly = b64encode(name.encode("utf-8", "replace")).decode("ascii")
    header = (
        f'<From memberName="{xml.escape(sender)}" friendlyName="=?utf-8?B?{friendly}?=" xml:lang="en-US"'
        f' proxy="MSNMSGR" xmlns="{STORE}" msnpVer="MSNP15" buildVer="8.5.1288.0816"/>'
        f'<To memberName="{xml.escape(to)}" xmlns="{STORE}"/>'
        f'<Ticket passport="{xml.escape(ticket)}" appid="{xml.escape(product)}" lockkey="{xml.escape(lock_key)}"'
        f' xmlns="{STORE}"/>'
        '<Sequence xmlns="http://schemas.xmlsoap.org/ws/2003/03/rm"><Identifier'
        ' xmlns="http://schemas.xmlsoap.org/ws/2002/07/utility">http://messenger.msn.com</Identifier>'
        f"<MessageNumber>{number}</MessageNumber></Sequence>"
    )
    encoded = b64encode(text.encode("utf-8", "replace")).decode("ascii")
    lines = "\n".join(encoded[at : at + _LINE] for at in range(0, len(encoded), _LINE))
    content = (
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: base64\n"
        f"X-OIM-Message-Type: OfflineMessage\nX-OIM-Run-Id: {{{run_id}}}\nX-OIM-Sequence-Num: {number}\n\n{lines}"
    )
    body = f'<MessageType xmlns="{STORE}">text</MessageType><Content xmlns="{STORE}">{xml.escape(content)}</Content>'
    return f"{STORE}Store", soap.envelope(header, body)


def read_challenge(body: bytes) -> str:
    """The challenge in a refusal to store (``LockKeyChallenge``); empty where it has none. Raises `MsnpSyntaxError`."""
    return xml.text_of(xml.parse(body, "Store"), "LockKeyChallenge")


def read_stored(body: bytes) -> None:
    """Reads the answer of a server that keeps a message. Raises `SoapFault` and `MsnpSyntaxError`."""
    soap.read(body, "Store")
