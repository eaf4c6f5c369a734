"""Screen names: how they are compared, and which kind they are."""

from __future__ import annotations


def normal(name: str) -> str:
    """The form in which two names are compared: lower case, no spaces, an ICQ number without hyphens. Idempotent.

    ``"The Boogy Man"`` and ``"theboogyman"`` are one account, ``"100-101"`` and ``"100101"`` too.
    """
    # lower() of a few letters brings another that lower() changes again (capital I with a dot): it is run to rest
    lowered = name.replace(" ", "").lower()
    while (again := lowered.lower()) != lowered:
        lowered = again
    return lowered.replace("-", "") if is_uin(lowered) else lowered


def is_uin(name: str) -> bool:
    """Whether a screen name is an ICQ number: ASCII digits alone (spaces and hyphens are not significant)."""
    digits = name.replace(" ", "").replace("-", "")
    return digits.isascii() and digits.isdigit()
