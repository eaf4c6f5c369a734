"""Logs: one JSON object a line, without bodies and without local variables."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from bridge.delivery.ports import CommitFailed
from bridge.runtime import logs
from tests.kit import values
from tests.unit.delivery.test_pipeline import ALICE, BOOGY, World


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    before = structlog.get_config()
    out = io.StringIO()
    logs.configure("info", out)
    yield out
    structlog.configure(**before)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_time_and_level(stream: io.StringIO) -> None:
    structlog.get_logger("x").info("went\nwell", count=3, odd=object)
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["count"]) == ("went\nwell", "info", 3)
    assert line["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_written(stream: io.StringIO) -> None:
    structlog.get_logger("x").debug("detail")
    assert stream.getvalue() == ""


def test_a_traceback_is_in_the_line_without_local_variables(stream: io.StringIO) -> None:
    def fails(body: str) -> None:
        raise ValueError(f"{len(body)} characters")

    try:
        fails("the secret text of a message")
    except ValueError:
        structlog.get_logger("x").exception("a defect")
    (line,) = lines(stream)
    assert line["exception"][0]["exc_value"] == "28 characters"
    assert "secret" not in stream.getvalue()


def test_text_that_is_not_unicode_does_not_stop_the_log(stream: io.StringIO) -> None:
    structlog.get_logger("x").info("from outside", name="\udcff")
    assert len(stream.getvalue().splitlines()) == 1


def test_twisteds_own_words_come_in_the_same_form(stream: io.StringIO) -> None:
    observer = logs.TwistedToStructlog()
    observer({"log_level": LogLevel.info, "log_format": "a factory starts", "log_namespace": "n"})
    failure = Failure(ValueError("broken"))  # type: ignore[no-untyped-call]
    observer({"log_level": LogLevel.critical, "log_format": "bad {x}", "x": 1, "log_failure": failure})
    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("bad 1", "critical")
    assert "broken" in line["failure"]


def test_no_body_is_logged_on_the_way_of_a_message(stream: io.StringIO) -> None:
    world = World()
    world.accept(values.draft(ALICE, BOOGY, values.message("the secret text")))
    world.journal.failing = True
    world.accept(values.draft(ALICE, BOOGY, values.message("the secret text")))
    assert CommitFailed(reason="the disk is full").reason in stream.getvalue()
    assert "secret" not in stream.getvalue()
