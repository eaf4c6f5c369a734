"""Every decoder of XML that a peer reaches: no entities, no DTD, no depth, no size that costs more than reading it."""

import contextlib
import time
from collections.abc import Callable

import pytest

from mappings.content import ContentError
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.imdn import parse_imdn
from transports.sip.wire.iscomposing import parse_iscomposing
from transports.sip.wire.pidf import parse_pidf
from transports.sip.wire.resourcelists import parse_resource_lists

DECODERS: dict[str, Callable[[bytes], object]] = {
    "presence": parse_pidf,
    "resource-lists": lambda data: parse_resource_lists(data, 131_072, 500),
    "isComposing": parse_iscomposing,
    "imdn": parse_imdn,
}
_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
BOMBS: dict[str, Callable[[str], str]] = {
    "billion laughs": lambda root: f'<!DOCTYPE x [<!ENTITY l0 "ha">{_LAUGHS}]><{root}>&l11;</{root}>',
    "one long entity": lambda root: f'<!DOCTYPE x [<!ENTITY a "{"a" * 20_000}">]><{root}>{"&a;" * 10_000}</{root}>',
    "a file": lambda root: f'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><{root}>&a;</{root}>',
    "a page": lambda root: f'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><{root}/>',
    "a parameter": lambda root: f'<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x">%a;]><{root}/>',
    "depth": lambda root: f"<{root}>" + "<a>" * 30_000 + "</a>" * 30_000 + f"</{root}>",
    "attributes": lambda root: f"<{root} " + " ".join(f'a{n}="b"' for n in range(20_000)) + f"></{root}>",
    "never ends": lambda root: f"<{root}>" + "<a>" * 30_000,
}


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_or_read_for_what_it_is_and_soon(decoder: str, bomb: str) -> None:
    data = BOMBS[bomb](decoder).encode()
    begun = time.process_time()
    if bomb == "attributes":
        with contextlib.suppress(SipSyntaxError, ContentError):  # it is large, and no more than that
            DECODERS[decoder](data)
    else:
        with pytest.raises((SipSyntaxError, ContentError)) as refused:
            DECODERS[decoder](data)
        assert "root:" not in str(refused.value)
    assert time.process_time() - begun < 2.0
