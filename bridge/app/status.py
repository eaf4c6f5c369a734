"""What ``simplebridge status`` shows of a running daemon."""

import os
import time
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bridge.model.capabilities import LinkState
from bridge.model.ids import NetworkId

if TYPE_CHECKING:
    from bridge.app.daemon import Daemon


def status_of(daemon: "Daemon") -> dict[str, Any]:
    """Returns how a daemon is: values of JSON, times in seconds."""
    state = daemon.state
    if state == "starting":
        return {"state": state}
    checkpoint = daemon.checkpoint
    return {
        "state": state,
        "domain": daemon.home.config.bridge.domain,
        "uptime_seconds": round(time.time() - daemon.started_at, 1),
        "pid": os.getpid(),
        "log_id": daemon.journal.log_id,
        "policy": {"version": daemon.policy.policy.version, "digest": daemon.policy.digest},
        "checkpoint": None
        if checkpoint is None
        else {"size": checkpoint[0], "age_seconds": round(time.time() - checkpoint[1], 1)},
        "identity_version": daemon.people.version,
        "listeners": [f"{at.transport}:{at.host}:{at.port}" for at in daemon.sip.listeners],
        "networks": _networks(daemon),
        "links": _links(daemon),
        "peers": _peers(daemon),
        "queues": {"waiting": daemon.pipeline.lanes.total, "sending": daemon.pipeline.lanes.sending},
        "sip": daemon.sip.counts,
        "messages": message_numbers(daemon),
    }


def _networks(daemon: "Daemon") -> list[dict[str, Any]]:
    """How many accounts of each network are in which state: with thousands of them nobody reads the links."""
    return [
        {"network": name, "accounts": len(states), "states": states_of(states), "numbers": dict(network.numbers())}
        for name, network in daemon.networks.items()
        for states in [network.states()]
    ]


def states_of(states: Mapping[str, LinkState]) -> dict[str, int]:
    """Returns how many accounts are in each state, those that nobody is in included."""
    counts = Counter(states.values())
    return {state.value: counts[state] for state in LinkState}


def _links(daemon: "Daemon") -> list[dict[str, Any]]:
    now = time.time()
    return [
        {
            "network": name,
            "account": account,
            "state": state.value,
            "seconds": round(max(0.0, now - daemon.ingresses[name].since.get(account, now)), 1),
            "reason": _reason(daemon, name, account),
        }
        for name, network in daemon.networks.items()
        for account, state in sorted(network.states().items())
    ]


def _reason(daemon: "Daemon", network: NetworkId, account: str) -> str:
    change = daemon.ingresses[network].states.get(account)
    return "" if change is None else change.told


def _peers(daemon: "Daemon") -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "address": one.address,
            "transport": one.transport,
            "state": one.state,
            "seconds": round(one.since, 1),
            "reason": one.reason,
        }
        for one in daemon.sip.peers()
    ]


def message_numbers(daemon: "Daemon") -> dict[str, int]:
    """Returns counters of messages since the start."""
    c = daemon.pipeline.counters
    plain = {
        "received": c.received,
        "recorded": c.recorded,
        "refused": c.refused,
        "held": c.held,
        "alerts": c.alerts,
        "duplicates": c.duplicates,
        "unrecorded": c.unrecorded,
        "dead_letters": c.dead_letters,
    }
    return plain | {f"outcome_{code}": count for code, count in sorted(c.outcomes.items())}
