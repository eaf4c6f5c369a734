"""The rigs themselves: what is left out is left out for a reason, and no network that is configured is forgotten."""

from typing import get_args

import pytest

from bridge.app.registry import KINDS
from bridge.model.capabilities import Support
from tests.conformance.rigs import RIGS, TWINS
from tests.kit.conformance.rig import Ability, Rig
from tests.kit.conformance.stage import Stage, asynchronous


def test_each_kind_of_network_has_a_rig() -> None:
    assert set(KINDS) == {make().kind for make in RIGS.values()}


def test_twins_are_of_one_kind_and_one_of_them_is_asked_everything() -> None:
    for name, twin in TWINS.items():
        assert RIGS[name]().kind == RIGS[twin]().kind or {name, twin} == {"icq", "aim"}  # two kinds, one transport
        assert twin not in TWINS


@pytest.mark.parametrize("name", list(RIGS))
def test_what_is_left_out_has_a_reason(name: str) -> None:
    cannot = RIGS[name]().cannot
    assert set(cannot) <= set(get_args(Ability))
    assert all(len(reason) > 15 for reason in cannot.values())


@asynchronous
async def test_what_is_declared_is_not_left_out(stage: Stage) -> None:
    """A rig must not lack what its network declares: nothing would look at it."""
    wanted: dict[Ability, tuple[str, ...]] = {
        "typing": ("typing",),
        "presence": ("presence",),
        "receipts": ("displayed_receipts", "delivered_receipts"),
        "edits": ("edits",),
        "stores": ("offline_messages",),
    }
    for ability, features in wanted.items():
        declared = [name for name in features if getattr(stage.capabilities, name) is not Support.DROPPED]
        assert not declared or ability not in stage.rig.cannot, f"{declared} declared, and the rig cannot {ability}"


def test_accounts_and_people(rig: Rig) -> None:
    assert len({login.name for login in rig.accounts}) >= 2
    assert rig.outsider(0) is rig.outsider(0)
    assert rig.outsider(0).name != rig.outsider(1).name
    assert rig.hostile
