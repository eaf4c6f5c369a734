"""What a reload takes of a changed configuration: policy and lists; the rest needs a restart, and is told."""

from attrs import evolve

from bridge.app.home import Home

_FIXED = ("bridge", "store", "sip", "networks", "delivery", "presence", "compliance", "metrics")


def reloaded(old: Home, fresh: Home, problems: list[str]) -> Home:
    """Returns the home after a reload: what needs new sockets or links stays as it was, and is told."""
    changed = [name for name in _FIXED if getattr(old.config, name) != getattr(fresh.config, name)]
    problems += [f"{fresh.config.path}: [{name}] has changed: that needs a restart" for name in changed]
    config = fresh.config
    return Home(evolve(old.config, policy=config.policy, lists=config.lists, source=config.source))
