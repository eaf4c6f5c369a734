"""The registration of a Matrix network, with the two tokens that the bridge and its homeserver know each other by."""

import json
import secrets
from pathlib import Path

from bridge.app.networks.matrix_kind import MatrixOptions
from bridge.compliance.keys import read_private_file, write_private_file
from transports.matrix.wire.registration import Registration

_TOKEN_BYTES = 32


def registration_of(network: str, options: MatrixOptions, keys: Path) -> Registration:
    """Returns what the homeserver is told of a network; its tokens are made where there are none.

    Args:
        network: its configured name.
        options: its options.
        keys: the folder of the bridge's secrets.

    Raises:
        ValueError: the file of the tokens cannot be used.
    """
    path = options.tokens or keys / f"matrix-{network}.json"
    if not path.exists():
        made = {name: secrets.token_urlsafe(_TOKEN_BYTES) for name in ("as_token", "hs_token")}
        write_private_file(path, json.dumps(made).encode(), replace=False)
    try:
        tokens = json.loads(read_private_file(path))
        as_token, hs_token = str(tokens["as_token"]), str(tokens["hs_token"])
    except (ValueError, TypeError, KeyError) as e:
        raise ValueError(f"{path} does not hold the tokens of this network: {e}") from e
    if not (as_token.isascii() and hs_token.isascii() and as_token.isprintable() and len(hs_token) > 7):
        raise ValueError(f"{path} does not hold tokens that can be used")
    return Registration(
        id=f"simplebridge-{network}",
        url=options.url.rstrip("/") or f"http://{options.listen}",
        as_token=as_token,
        hs_token=hs_token,
        sender_localpart=options.bot,
        server_name=options.server_name,
        prefix=options.prefix,
    )
