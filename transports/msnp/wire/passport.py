"""Passport 1.4, the sign-on of MSNP8 to 12: a nexus names the login server, which sells a ticket for a password."""

from __future__ import annotations

from urllib.parse import quote, urljoin, urlsplit

from attrs import frozen

from transports.msnp.wire.errors import MsnpSyntaxError

SCHEME = "Passport1.4"
ORIGIN = "http%3A%2F%2Fmessenger%2Emsn%2Ecom"
MAX_TICKET = 4096


def login_url(passport_urls: str) -> str:
    """The login server in the nexus's header ``PassportURLs``. Without a scheme it is https.

    Raises:
        MsnpSyntaxError: none is named.
    """
    for part in passport_urls.split(","):
        name, _, value = part.strip().partition("=")
        if name.strip().lower() == "dalogin" and value.strip():
            url = value.strip().strip("'\"")
            return url if "://" in url else f"https://{url}"
    raise MsnpSyntaxError("PassportURLs: no DALogin")


def authorization(passport: str, password: str, parameters: str) -> str:
    """The header ``Authorization``; `parameters` are those that the notification server gave (USR TWN S).

    Raises:
        MsnpSyntaxError: the parameters would break the header.
    """
    if any(char in parameters for char in "\r\n\0") or not parameters.isascii():
        raise MsnpSyntaxError("USR: parameters that are none of a header")
    user, secret = quote(passport, safe=""), quote(password, safe="")
    return f"{SCHEME} OrgVerb=GET,OrgURL={ORIGIN},sign-in={user},pwd={secret},{parameters}"


@frozen(kw_only=True)
class LoginAnswer:
    """What the login server said: a ticket, another place to ask, or (neither) no."""

    ticket: str = ""
    redirect: str = ""
    reason: str = ""


def read_login(status: int, url: str, headers: dict[str, str]) -> LoginAnswer:
    """Reads the answer of the login server.

    Args:
        status: of HTTP.
        url: that was asked, what a relative redirection counts from.
        headers: by name in lower case.

    Raises:
        MsnpSyntaxError: an answer that says nothing of the kind.
    """
    if status in {301, 302, 303, 307, 308}:
        target = urljoin(url, headers.get("location", ""))
        if not headers.get("location") or urlsplit(target).scheme not in {"http", "https"}:
            raise MsnpSyntaxError("login: a redirection to nowhere")
        return LoginAnswer(redirect=target)
    if status == 401:
        said = fields(headers.get("www-authenticate", ""))
        return LoginAnswer(reason=said.get("cbtxt", "") or said.get("da-status", "") or "refused")
    if status != 200:
        raise MsnpSyntaxError(f"login: HTTP status {status}")
    said = fields(headers.get("authentication-info", ""))
    ticket = said.get("from-pp", "")
    if said.get("da-status", "").lower() != "success" or not ticket:
        raise MsnpSyntaxError("login: no ticket in the answer")
    if len(ticket) > MAX_TICKET or any(char in ticket for char in " \r\n\0"):
        raise MsnpSyntaxError("login: a ticket that is none")
    return LoginAnswer(ticket=ticket)


def fields(header: str) -> dict[str, str]:
    """The fields ``name=value`` of a Passport header, by name in lower case."""
    found: dict[str, str] = {}
    for part in header.removeprefix(SCHEME).split(","):
        name, equals, value = part.strip().partition("=")
        if equals:
            found.setdefault(name.strip().lower(), value.strip().strip("'\""))
    return found
