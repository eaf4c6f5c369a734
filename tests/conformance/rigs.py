"""The networks that the suite is run for: a line each."""

from collections.abc import Callable, Mapping

from tests.kit.conformance.irc import IrcRig
from tests.kit.conformance.loopback import LoopbackRig
from tests.kit.conformance.matrix import MatrixRig
from tests.kit.conformance.msnp import MsnpRig
from tests.kit.conformance.oscar import OscarRig
from tests.kit.conformance.rig import Rig
from tests.kit.conformance.xmpp import XmppRig
from tests.kit.conformance.ymsg import YmsgRig
from tests.kit.irc.servers import Inspircd, Ngircd

RIGS: Mapping[str, Callable[[], Rig]] = {
    "aim": lambda: OscarRig(icq=False),
    "loopback": LoopbackRig,
    "icq": lambda: OscarRig(icq=True),
    "yahoo": YmsgRig,
    "msn": MsnpRig,
    "irc": lambda: IrcRig(Inspircd, tags=True),
    "irc-plain": lambda: IrcRig(lambda: Ngircd(penalty=0), tags=False),
    "xmpp": lambda: XmppRig(component=False),
    "xmpp-component": lambda: XmppRig(component=True),
    "matrix": MatrixRig,
}

TWINS: Mapping[str, str] = {"icq": "aim", "irc-plain": "irc"}
"""Rigs whose sign-on and states are the code that another rig shows; what people say and are told is asked of both."""
SHOWN_BY_TWIN = frozenset({"test_states", "test_hostile"})
"""The modules that are left out for a twin."""
