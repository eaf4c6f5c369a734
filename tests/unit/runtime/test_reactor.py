"""The reactor is the asyncio one on uvloop, once."""

import subprocess
import sys
from pathlib import Path

import uvloop

from bridge.runtime.reactor import install

ROOT = Path(__file__).parents[3]


def test_it_is_installed_once() -> None:
    assert install() is install()
    installed: object = sys.modules["twisted.internet.reactor"]
    assert installed is install()


def test_it_runs_on_uvloop() -> None:
    assert isinstance(install()._asyncioEventloop, uvloop.Loop)


_LAST_WORDS = """
import socket, struct
from bridge.runtime.reactor import install
reactor = install()
from twisted.internet.protocol import Factory, Protocol

class Peer(Protocol):
    def connectionMade(self):
        self.factory.wire = self.transport
        reactor.callLater(0, self.both_at_once)
    def both_at_once(self):
        client.sendall(b"last words")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()  # a reset, which is there before the octets are read
    def dataReceived(self, data):
        print(data.decode())
    def connectionLost(self, reason):
        print("lost")
        self.transport.write(b"into the void")
        reactor.stop()

factory = Factory()
factory.protocol = Peer
port = reactor.listenTCP(0, factory, interface="127.0.0.1")
client = socket.create_connection(("127.0.0.1", port.getHost().port))
reactor.callLater(10, reactor.stop)
reactor.run()
"""


def test_a_reset_that_comes_with_the_last_octets_is_noticed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LAST_WORDS], capture_output=True, text=True, timeout=30, check=True, cwd=ROOT
    )
    assert done.stdout.split("\n") == ["last words", "lost", ""], done.stderr
