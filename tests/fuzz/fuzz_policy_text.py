"""Any text before lexicons of every sort: touching misses nothing, places lie in the text, redaction leaves nothing."""

from bridge.policy.loader import Surroundings
from bridge.policy.loading import load_text
from bridge.policy.values import Party, Subject

_POLICY = """
[policy]
version = "fuzz"
[lexicons.words]
words = ["falcon", "blue heron", "c++", "機密", "секрет"]
patterns = ['\\bACME-\\d{3,6}\\b', '(?i)s[e3]cr[e3]t', 'é+']
validators = ["payment-card", "iban", "us-ssn", "uk-nino", "fr-nir", "es-dni", "nl-bsn", "pl-pesel"]
[[rule]]
id = "open"
effect = "allow"
[[rule]]
id = "clean"
effect = "redact"
lexicon = ["words"]
"""
_SNAPSHOT = load_text(_POLICY, surroundings=Surroundings(networks=["aim"]))
_ALICE = Party(address="alice@corp.example", domain="corp.example")
_BOOGY = Party(address="aim/boogy", network="aim")

SEEDS: list[bytes] = [
    "the fal\u200bcon, a b\u0301lue-heron; C++ 機 密 СЕКРЕТ".encode(),
    "\u202enoclaf\u202c ACME-123456 é 4111 1111 1111 1111".encode(),
    b"DE89 3704 0044 0532 0130 00 219-09-9999 AB123456C 12345678Z 111222333 44051401359",
    "f a l c o n fal.con-fal*con ｆａｌｃｏｎ 𝐟𝐚𝐥𝐜𝐨𝐧".encode(),
]


def one(data: bytes) -> None:
    """Judges ``data`` as UTF-8, half surrogates included; the part before the first NUL came in the message before."""
    try:
        whole = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        whole = data.decode("utf-8", "replace")
    preceding, _, text = whole.rpartition("\0")
    decision = _SNAPSHOT.decide(
        Subject(kind="message", direction="outbound", sender=_ALICE, recipient=_BOOGY, at=0.0, text=text), preceding
    )
    hits = _SNAPSHOT.find(text, preceding=preceding)
    assert decision.hits == hits, "touching missed what searching finds"
    assert all(0 <= hit.start < hit.end <= len(text) for hit in hits)
    if decision.redacted_text is not None:
        assert decision.redacted_text == "[redacted]" or not _SNAPSHOT.find(decision.redacted_text)
