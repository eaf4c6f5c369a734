"""The networks that the suite is run for: a line each."""

from collections.abc import Callable, Mapping

from tests.kit.conformance.loopback import LoopbackRig
from tests.kit.conformance.matrix import MatrixRig
from tests.kit.conformance.oscar import OscarRig
from tests.kit.conformance.rig import Rig

RIGS: Mapping[str, Callable[[], Rig]] = {
    "aim": lambda: OscarRig(icq=False),
    "loopback": LoopbackRig,
    "icq": lambda: OscarRig(icq=True),
    "matrix": MatrixRig,
}
