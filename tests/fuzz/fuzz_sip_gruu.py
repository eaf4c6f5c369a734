"""Any text as a GRUU: it means who it was made for, or nobody."""

from transports.sip.machine.gruu import Gruus, is_gruu
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.uri import SipUri, parse_uri

_GENERATION = "0123456789abcdef"
_OWNER = ("alice@example.test", "<urn:uuid:1>")


def _gruus() -> Gruus:
    made = Gruus("example.test", b"the same in each run", bytes)
    made.keep(_OWNER[0], (), ((_GENERATION, _OWNER[1]),))
    return made


_GRUUS = _gruus()
_GOOD = _GRUUS.temporary(_GENERATION)
SEEDS: list[bytes] = [
    _GOOD.encode(),
    _GOOD.upper().replace("SIP:", "sip:").replace("GR", "gr").encode(),
    _GRUUS.public(*_OWNER).encode(),
    b"sip:tgruu.@example.test;gr",
    b"sip:tgruu.aa%00@example.test;gr=",
]


def one(data: bytes) -> None:
    """Looks up whose it is."""
    try:
        uri = parse_uri(data.decode("utf-8", "replace"))
    except SipSyntaxError:
        return
    if not isinstance(uri, SipUri) or not is_gruu(uri):
        return
    owner = _GRUUS.owner(uri, uri.aor)
    if uri.param("gr"):
        assert owner == (uri.aor, uri.param("gr"))
    elif owner is not None:
        # It may be written in letters of either case, and in no other way.
        assert owner == _OWNER
        assert (uri.user or "").lower() == _GOOD[4:].partition("@")[0]
