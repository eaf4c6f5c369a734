"""The state of a link: signing on, losing it, coming back, being thrown out, being refused, stopping."""

import pytest

from bridge.model.body import Stage as Reached
from bridge.model.capabilities import LINK_DOWN, LinkState
from tests.kit.conformance.rig import Rig
from tests.kit.conformance.stage import Stage, asynchronous, pause, thread, until

QUIET = 2.0
"""Seconds in which nothing is to happen."""
DEAD = {LinkState.UP, LinkState.CONNECTING}


@asynchronous
async def test_signing_on_is_told(stage: Stage) -> None:
    account = await stage.up()
    states = [change.state for change in stage.changes(account)]
    assert states == [LinkState.CONNECTING, LinkState.UP]
    assert stage.network.states() == {account: LinkState.UP}


@asynchronous
async def test_signing_off_is_for_good(stage: Stage) -> None:
    account = await stage.up()
    stage.network.sign_off(account)
    await stage.state(account, LinkState.LOGGED_OUT)
    before = stage.proxy.connections
    await pause(QUIET)
    assert stage.proxy.connections == before
    assert stage.network.states() == {}


@asynchronous
async def test_a_wrong_password_is_told_and_not_tried_again(stage: Stage) -> None:
    if not stage.rig.accounts[0].password:
        return  # accounts of this network have none: it is the network's own credential that could be wrong
    account = stage.sign_on(stage.rig.accounts[0], password="not the password")
    change = await stage.state(account, LinkState.AUTH_FAILED)
    assert change.retry_in is None
    assert change.reason
    before = stage.proxy.connections
    await pause(QUIET)
    assert stage.proxy.connections == before, "a refused password is not tried again by itself"
    assert [c.state for c in stage.changes(account)].count(LinkState.AUTH_FAILED) == 1
    stage.sign_on(stage.rig.accounts[0])
    await stage.state(account, LinkState.UP)


@pytest.mark.needs("connection")
@asynchronous
async def test_a_broken_connection_comes_back(stage: Stage) -> None:
    account = await stage.up()
    since = len(stage.changes(account))
    stage.proxy.drop()
    change = await stage.state(account, LinkState.TRANSIENT, since=since)
    assert change.retry_in is not None
    assert change.retry_in > 0
    await stage.state(account, LinkState.UP, since=since)
    outsider = stage.rig.outsider(0)
    await stage.said(account, outsider.name, "after the break")
    await stage.reaches(outsider, "after the break")


@asynchronous
async def test_a_server_that_is_down_is_tried_with_pauses(stage: Stage) -> None:
    await stage.proxy.refuse()
    account = stage.sign_on(stage.rig.accounts[0])
    await stage.state(account, LinkState.TRANSIENT)
    await pause(1.5 * QUIET)
    changes = [change for change in stage.changes(account) if change.state is LinkState.TRANSIENT]
    assert len(changes) < 7, "a server that is down is not hammered on"
    assert all(change.retry_in for change in changes)
    stage.proxy.accept()
    await stage.state(account, LinkState.UP, since=len(stage.changes(account)))


@asynchronous
async def test_a_server_that_accepts_and_says_nothing_is_left_alone(stage: Stage) -> None:
    stage.proxy.instead = lambda: iter(())
    account = stage.sign_on(stage.rig.accounts[0])
    await until(lambda: stage.proxy.connections, "a connection")
    await pause(QUIET)
    assert LinkState.UP not in [change.state for change in stage.changes(account)]
    assert stage.proxy.connections <= 2
    stage.proxy.instead = None
    stage.proxy.drop()
    await stage.state(account, LinkState.UP)


@pytest.mark.needs("restart")
@asynchronous
async def test_a_server_that_restarts_is_met_again(stage: Stage) -> None:
    account = await stage.up()
    since = len(stage.changes(account))
    await thread(stage.rig.stop_server)
    try:
        await stage.state(account, LinkState.TRANSIENT, since=since)
        (sending,) = stage.post(account, stage.rig.outsider(0).name, "nobody is there")
        (result,) = await stage.ended(sending)
        assert result.failure is not None
        assert (result.failure.reason, result.failure.retryable, result.failure.certain) == (LINK_DOWN, True, True)
    finally:
        await thread(stage.rig.start_server)
    await stage.state(account, LinkState.UP, since=since)
    await until(lambda: stage.network.states()[account] is LinkState.UP, "up")
    outsider = stage.rig.outsider(0)
    await stage.said(account, outsider.name, "after the restart")
    await stage.reaches(outsider, "after the restart")


@pytest.mark.needs("kick")
@asynchronous
async def test_who_signs_on_elsewhere_is_left_in_peace(stage: Stage) -> None:
    account = await stage.up()
    await thread(stage.rig.kick, account)
    change = await stage.state(account, LinkState.SIGNED_ON_ELSEWHERE)
    assert change.retry_in is None or change.retry_in >= 30.0, "taking it back at once would be a fight"
    before = stage.proxy.connections
    await pause(QUIET)
    assert stage.proxy.connections == before
    since = len(stage.changes(account))
    stage.sign_on(stage.rig.accounts[0])
    await stage.state(account, LinkState.UP, since=since)


@asynchronous
async def test_a_send_without_a_link_waits_for_nothing(stage: Stage, rig: Rig) -> None:
    outsider = rig.outsider(0)
    account = stage.normal(rig.accounts[0].name)
    (never,) = stage.post(account, outsider.name, "never signed on")
    (result,) = await stage.ended(never)
    assert result.stage is Reached.FAILED
    assert result.failure is not None
    assert result.failure.reason == LINK_DOWN
    assert "never signed on" not in [each.text for each in outsider.heard()]


@asynchronous
async def test_a_stop_waits_for_answers(stage: Stage) -> None:
    account = await stage.up()
    outsider = stage.rig.outsider(0)
    (sending,) = stage.post(account, outsider.name, "at the very end")
    await stage.network.stop(drain=10.0)
    assert len(sending.results) == 1, "every send has ended when the stop has"
    assert sending.results[0].failure is None
    await stage.reaches(outsider, "at the very end")
    assert [change.state for change in stage.changes(account)][-1] is LinkState.LOGGED_OUT
    before = stage.proxy.connections
    await pause(QUIET)
    assert stage.proxy.connections == before


@asynchronous
async def test_a_stop_does_not_wait_for_ever(stage: Stage) -> None:
    account = await stage.up()
    await stage.ended(*stage.post(account, stage.rig.outsider(0).name, "the line is good"))
    stage.proxy.freeze()
    (sending,) = stage.post(account, stage.rig.outsider(0).name, "no answer comes")
    await pause(0.2)
    await stage.network.stop(drain=0.5)
    (result,) = sending.results
    if stage.capabilities.relayed_receipts.value != "dropped":
        assert result.stage is Reached.UNKNOWN
        assert result.failure is not None
        assert not result.failure.certain
