"""The reactor is the asyncio one on uvloop, once."""

import sys

import uvloop

from bridge.runtime.reactor import install


def test_it_is_installed_once() -> None:
    assert install() is install()
    installed: object = sys.modules["twisted.internet.reactor"]
    assert installed is install()


def test_it_runs_on_uvloop() -> None:
    assert isinstance(install()._asyncioEventloop, uvloop.Loop)
