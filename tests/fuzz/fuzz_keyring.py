"""Any bytes as a key file: a keyring, or KeyringError."""

from bridge.identity.errors import KeyringError
from bridge.identity.keyring import KEY_BYTES, parse_keyring

SEEDS: list[bytes] = [
    b"",
    b"{}",
    b'{"format": "simplebridge-keyring-1", "primary": "a", "keys": {"a": "' + b"A" * 43 + b'="}}',
    b'{"format": "simplebridge-keyring-1", "primary": "b", "keys": {"a": 5}}',
    b'{"version": 1, "active": "a", "keys": {"a": "' + b"A" * 43 + b'="}}',
    b"[" * 50_000,
]


def one(data: bytes) -> None:
    """Reads a key file."""
    try:
        ring = parse_keyring(data, "keys")
    except KeyringError:
        return
    assert all(len(key) == KEY_BYTES for key in ring.keys.values())
    assert ring.primary in ring.keys
