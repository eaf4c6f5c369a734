"""SCRAM's salted password: the examples of RFC 5802 section 5 and RFC 7677 section 3, and servers that ask too much."""

import base64
import hashlib
import hmac

import pytest
from slixmpp.util.sasl.client import SASLCancelled
from slixmpp.util.sasl.mechanisms import SCRAM

import transports.xmpp.slix  # noqa: F401 - what puts it in place
from transports.xmpp.scram import MOST_ROUNDS, salted_password


class Mechanism:
    """A mechanism with a hash agreed on."""

    def __init__(self, name: str) -> None:
        self.hash = lambda data=b"": hashlib.new(name, data)


EXAMPLES = [
    (
        "sha1", "QSXCR+Q6sek8bf92", "fyko+d2lbbFgONRv9qkxdawL", "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
        "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    ),
    (
        "sha256", "W22ZaJ0SNY7soEsUEjb6gQ==", "rOprNGfwEbeRWgbNEkqO",
        "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "salt", "mine", "nonce", "proof"), EXAMPLES)
def test_the_examples_of_the_rfcs(name: str, salt: str, mine: str, nonce: str, proof: str) -> None:
    salted = salted_password(Mechanism(name), "pencil", base64.b64decode(salt), 4096)
    key = hmac.digest(salted, b"Client Key", name)
    said = f"n=user,r={mine},r={nonce},s={salt},i=4096,c=biws,r={nonce}".encode()
    signature = hmac.digest(hashlib.new(name, key).digest(), said, name)
    assert base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode() == proof


@pytest.mark.parametrize("rounds", [0, -1, MOST_ROUNDS + 1, 10**12])
def test_a_server_does_not_keep_us_busy(rounds: int) -> None:
    with pytest.raises(SASLCancelled):
        salted_password(Mechanism("sha1"), "pencil", b"salt", rounds)


def test_it_is_slixmpps() -> None:
    assert SCRAM.Hi is salted_password
