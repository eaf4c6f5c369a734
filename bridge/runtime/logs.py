"""Structured logs: one JSON object a line on standard error, ids and never bodies."""

import json
import logging
import sys
from typing import TextIO, cast

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogBeginner
from zope.interface import implementer

LEVELS = ("debug", "info", "warning", "error")

_FROM_TWISTED = {
    LogLevel.debug: logging.DEBUG,
    LogLevel.info: logging.DEBUG,  # Twisted tells of each factory that starts: that is detail
    LogLevel.warn: logging.WARNING,
    LogLevel.error: logging.ERROR,
    LogLevel.critical: logging.CRITICAL,
}


def configure(level: str = "info", stream: TextIO | None = None, *, human: bool = False) -> None:
    """Sets up logging for the process.

    Args:
        level: one of ``LEVELS``.
        stream: where lines go; standard error by default.
        human: lines for a terminal instead of JSON.
    """
    out = cast(TextIO, Lossy(stream or sys.stderr))
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if human
        else structlog.processors.JSONRenderer(_to_json)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Never the local variables of a traceback: they hold bodies and secrets.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False, max_frames=30))
            if not human
            else structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=True,
    )


class Lossy:
    """A stream that loses lines rather than raise: whoever logs has better things to do than to fail of it.

    On a full disk the log is often the first that cannot be written, and what would be logged is just that. How many
    lines were lost is said in the first one that gets through again.
    """

    def __init__(self, inner: TextIO) -> None:
        self._inner = inner
        self.lost = 0

    def write(self, text: str) -> int:
        """Writes a line, or counts it."""
        try:
            if self.lost:
                self._inner.write(_to_json({"event": "log lines were lost", "level": "warning", "lines": self.lost}))
                self._inner.write("\n")
            written = self._inner.write(text)
            self._inner.flush()  # a buffer would tell only the next line that this one is lost
        except OSError:
            self.lost += 1
            return 0
        self.lost = 0
        return written

    def flush(self) -> None:
        """Does nothing: each line is flushed as it is written."""


def _to_json(event: object, **_: object) -> str:
    try:
        return orjson.dumps(event, default=repr).decode()
    except TypeError:  # a text from outside that is not Unicode, or keys that are no texts: a log line must not fail
        return json.dumps(event, default=repr, skipkeys=True)


@implementer(ILogObserver)
class TwistedToStructlog:
    """Feeds what Twisted itself logs into the same stream."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("twisted")

    def __call__(self, event: LogEvent) -> None:
        """Takes one event of twisted.logger."""
        level = _FROM_TWISTED[event.get("log_level", LogLevel.info)]
        failure = event.get("log_failure")
        fields: dict[str, object] = {"namespace": event.get("log_namespace", "")}
        if failure is not None:
            fields["failure"] = failure.getTraceback()
        self._log.log(level, formatEvent(event) or "twisted", **fields)


def observe_twisted() -> None:
    """Begins to take Twisted's log events. Call once, after ``configure``."""
    globalLogBeginner.beginLoggingTo([TwistedToStructlog()], redirectStandardIO=False, discardBuffer=True)
