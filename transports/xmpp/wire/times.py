"""XMPP's date and time profiles (XEP-0082)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_STAMP: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_LEGACY: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d:\d\d:\d\d)", re.ASCII)


def read_time(text: str | None) -> float | None:
    """Returns seconds since the epoch; None where it is no time of the profile (or of XEP-0091's older one)."""
    if text is None or len(text) > 64:
        return None
    found = _STAMP.fullmatch(text.strip())
    if found is not None:
        written = found[1] + (found[2] or "")[:7] + ("+00:00" if found[3] == "Z" else found[3])
    else:
        older = _LEGACY.fullmatch(text.strip())
        if older is None:
            return None
        written = f"{older[1]}-{older[2]}-{older[3]}T{older[4]}+00:00"
    try:
        return datetime.fromisoformat(written).timestamp()
    except (ValueError, OverflowError):
        return None


def write_time(seconds: float) -> str:
    """Returns a time in the profile, in UTC and whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
