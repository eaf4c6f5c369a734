"""Everything but the compiling is in setup.cfg. Compiling is asked for by SIMPLEBRIDGE_COMPILE=1 (``make compile``).

What every message passes is then compiled by mypyc, which takes a third off its cost. The same modules run uncompiled
wherever no compiler is; nothing but their speed differs, and the tests pass either way.

Left as they are: modules whose attrs classes mypyc does not take, and what makes the words of the record (codec,
record), where it gains nothing and would write 0 as 0.0.
"""

import os
from typing import Any

from setuptools import setup

HOT = {
    "transports/sip/wire": "answer auth base errors framing grammar headers memo names native parser uri validate",
    "transports/sip/machine": "auth clients delivery endpoint events flow layer matching names pacing registrar "
    "routing sender serving throttle timers transactions uas",
    "bridge/delivery": "dedupe ingress judge lanes pipeline",
    "bridge/compliance": "leaf log merkle sealing tiles",
    "bridge/store": "statements",
    "bridge/policy": "snapshot",
    "bridge/model": "ids",
    "mappings": "content sip",
}


def extensions() -> list[Any]:
    """Returns the modules to compile, none unless that is asked for."""
    if os.environ.get("SIMPLEBRIDGE_COMPILE") != "1":
        return []
    from mypyc.build import mypycify

    paths = [f"{folder}/{name}.py" for folder, names in HOT.items() for name in names.split()]
    return mypycify(["--config-file", "setup.cfg", *paths], opt_level="2", debug_level="0", multi_file=True)


setup(ext_modules=extensions())
