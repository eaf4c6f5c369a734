"""The values between the transport and the bridge."""

from __future__ import annotations

import attrs
import pytest

from transports.sip.wire.native import SipMessage, SipPresence, SipPublished, SipTyping, SipWatch


def test_header() -> None:
    message = SipMessage(
        aor="alice@example.com", peer="sip:bob@example.net", call_id="c", cseq=1, content_type="text/plain", body=b"x",
        headers=(("Subject", "lunch"), ("Date", "d")),
    )  # fmt: skip
    assert (message.header("subject"), message.header("DATE"), message.header("Expires")) == ("lunch", "d", None)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        message.aor = "mallory@example.com"  # type: ignore[misc]


def test_values_compare_by_content() -> None:
    assert SipTyping(aor="a@b", peer="sip:c", state="active") == SipTyping(aor="a@b", peer="sip:c", state="active")
    assert SipWatch(aor="a@b", target="sip:c", id="1", expires=5) != SipWatch(
        aor="a@b", target="sip:c", id="2", expires=5
    )
    assert SipPresence(target="sip:c", watcher=None, pidf=None).state == "active"
    assert SipPublished(aor="a@b", pidf=None, entity_tag="e", expires=0).contact_count == 1
