"""One presence of many: what a person's devices say, composed into what a watcher sees (RFC 4479 section 3.5)."""

from collections.abc import Iterable

from attrs import evolve

from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence

_THERE = PersonPresence(basic=Basic.OPEN)
"""One value: it is kept for each who says nothing of themselves."""

_RANK = {
    Activity.FREE_FOR_CHAT: 0,
    Activity.AVAILABLE: 1,
    Activity.ON_THE_PHONE: 2,
    Activity.MEETING: 3,
    Activity.BUSY: 4,
    Activity.DO_NOT_DISTURB: 5,
    Activity.BE_RIGHT_BACK: 6,
    Activity.MEAL: 7,
    Activity.AWAY: 8,
    Activity.EXTENDED_AWAY: 9,
}
"""From the most available to the least; a phone call says that a person is there, and away that they are not."""


def availability(presence: PersonPresence) -> tuple[bool, int, float]:
    """Returns a key that sorts the most available first: open before closed, then activity, then idleness."""
    idle = -presence.idle_since if presence.idle_since is not None else float("-inf")
    return presence.basic is Basic.CLOSED, _RANK[presence.activity], idle


def compose(published: Iterable[PersonPresence], devices: int) -> PersonPresence:
    """Composes what a person's publications say; a person who publishes nothing but is registered is there.

    Args:
        published: what each live publication says.
        devices: how many devices are registered.

    Returns:
        The most available of the publications, with the devices of all of them, the most available first.
    """
    states = sorted(published, key=availability)
    if devices > len(states) and (not states or states[0].basic is Basic.CLOSED):
        # A device that says nothing of itself is there, whatever another one says that was switched off.
        return _THERE
    if not states:
        return OFFLINE
    best = states[0]
    if len(states) == 1:
        return best
    return evolve(best, devices=tuple(device for state in states for device in state.devices))
