"""RFC 7247 section 7: every row of tables 2 and 3, both ways."""

import pytest

from bridge.model.body import Failure
from mappings.xmpp_errors import failure_of, from_sip, of_failure, of_refusal, to_sip, type_of

TABLE_2 = [
    ("bad-request", 400, 400), ("conflict", 400, 400), ("feature-not-implemented", 405, 501), ("forbidden", 403, 603),
    ("gone", 410, 410), ("internal-server-error", 500, 500), ("item-not-found", 404, 604), ("jid-malformed", 400, 400),
    ("not-acceptable", 406, 606), ("not-allowed", 403, 403), ("not-authorized", 401, 401),
    ("policy-violation", 403, 403), ("recipient-unavailable", 480, 600), ("redirect", 302, 302),
    ("registration-required", 407, 407), ("remote-server-not-found", 404, 404), ("remote-server-timeout", 408, 408),
    ("resource-constraint", 500, 500), ("service-unavailable", 403, 403), ("subscription-required", 400, 400),
    ("undefined-condition", 400, 400), ("unexpected-request", 491, 491),
]  # fmt: skip
TABLE_3 = {
    "redirect": (300, 302, 305, 399),
    "gone": (301, 410),
    "not-acceptable": (380, 406, 415, 416, 421, 482, 483, 488, 505, 606),
    "bad-request": (400, 402, 493, 499),
    "not-authorized": (401,),
    "forbidden": (403,),
    "item-not-found": (404, 481, 484, 485, 604),
    "feature-not-implemented": (405, 420, 439, 501),
    "registration-required": (407,),
    "remote-server-timeout": (408, 504),
    "policy-violation": (413, 414, 440, 489, 513),
    "resource-constraint": (423,),
    "recipient-unavailable": (430, 480, 486, 487, 600, 603, 699),
    "unexpected-request": (491,),
    "internal-server-error": (500, 503, 599),
    "remote-server-not-found": (502,),
}


@pytest.mark.parametrize(("condition", "full", "bare"), TABLE_2)
def test_table_2(condition: str, full: int, bare: int) -> None:
    assert to_sip(condition, full=True) == full
    assert to_sip(condition, full=False) == bare


def test_gone_with_an_address_is_301() -> None:
    assert to_sip("gone", full=True, address="new@xmpp.example") == 301


@pytest.mark.parametrize(("status", "condition"), [(code, name) for name, codes in TABLE_3.items() for code in codes])
def test_table_3(status: int, condition: str) -> None:
    assert from_sip(status) == condition


def test_what_nobody_has_defined() -> None:
    assert to_sip("made-up", full=True) == 400
    assert from_sip(999) == "undefined-condition"


@pytest.mark.parametrize(
    ("reason", "condition"),
    [("404 Not Found", "item-not-found"), ("offline", "recipient-unavailable"), ("expired", "recipient-unavailable"),
     ("forbidden", "policy-violation"), ("something else", "undefined-condition")],
)  # fmt: skip
def test_a_failure_as_a_condition(reason: str, condition: str) -> None:
    failure = Failure(reason=reason, retryable=False, certain=True, user_text="no")
    assert of_failure(failure) == condition


def test_a_condition_as_a_failure() -> None:
    failure = failure_of("recipient-unavailable", "wait", "gone fishing")
    assert failure.retryable
    assert failure.reason == "recipient-unavailable (SIP 600): gone fishing"
    assert not failure_of("service-unavailable", "cancel", "").retryable


def test_types_and_refusals() -> None:
    assert (type_of("policy-violation"), type_of("item-not-found")) == ("modify", "cancel")
    assert of_refusal("no-binding") == "registration-required"
