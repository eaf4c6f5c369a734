import pytest

from bridge.model.presence import Activity
from mappings.presence import AIM, ICQ, RPID, WORDS, Lattice, icq_activity, rpid_activity


@pytest.mark.parametrize("lattice", [AIM, ICQ, RPID], ids=lambda lattice: lattice.name)
@pytest.mark.parametrize("activity", list(Activity))
def test_there_and_back_is_a_retraction(lattice: Lattice[object], activity: Activity) -> None:
    word = lattice.to[activity]
    assert lattice.to[lattice.back[word]] == word
    told, note, losses = lattice.word(activity, "")
    again, note_again, losses_again = lattice.word(lattice.back[told], note)
    assert (again, note_again, losses_again) == (told, note, ())
    assert bool(losses) == (lattice.back[told] is not activity)
    assert note == (WORDS[activity] if losses else "")


def test_a_table_that_wanders_is_refused() -> None:
    to = dict.fromkeys(Activity, "x") | {Activity.AWAY: "y"}
    with pytest.raises(ValueError, match="wanders"):
        Lattice(name="bad", to=to, back={"x": Activity.AWAY, "y": Activity.AWAY})
    with pytest.raises(ValueError, match="no word"):
        Lattice(name="bad", to=to, back={"x": Activity.AVAILABLE})


@pytest.mark.parametrize(
    ("status", "activity"),
    [
        (0x0000, Activity.AVAILABLE),
        (0x0001, Activity.AWAY),
        (0x0002, Activity.DO_NOT_DISTURB),
        (0x0013, Activity.DO_NOT_DISTURB),
        (0x0004, Activity.EXTENDED_AWAY),
        (0x0005, Activity.EXTENDED_AWAY),
        (0x0010, Activity.BUSY),
        (0x0011, Activity.BUSY),
        (0x0020, Activity.FREE_FOR_CHAT),
        (0x2001, Activity.MEAL),
        (0x0100, Activity.AVAILABLE),
        (0x0101, Activity.AWAY),
        (0x8000, Activity.AVAILABLE),
        (0xFFFF, Activity.DO_NOT_DISTURB),
    ],
)
def test_icq_status(status: int, activity: Activity) -> None:
    assert icq_activity(status) is activity


@pytest.mark.parametrize(
    ("activity", "status"),
    [
        (Activity.AVAILABLE, 0),
        (Activity.FREE_FOR_CHAT, 0x20),
        (Activity.AWAY, 0x01),
        (Activity.EXTENDED_AWAY, 0x05),
        (Activity.BUSY, 0x11),
        (Activity.DO_NOT_DISTURB, 0x13),
        (Activity.ON_THE_PHONE, 0x11),
        (Activity.MEETING, 0x11),
        (Activity.MEAL, 0x01),
        (Activity.BE_RIGHT_BACK, 0x01),
    ],
)
def test_to_icq_status(activity: Activity, status: int) -> None:
    assert ICQ.to[activity] == status


@pytest.mark.parametrize(
    ("elements", "activity", "text"),
    [
        ([], Activity.AVAILABLE, ""),
        (["busy"], Activity.BUSY, ""),
        (["on-the-phone"], Activity.ON_THE_PHONE, ""),
        (["meeting"], Activity.MEETING, ""),
        (["presentation"], Activity.MEETING, ""),
        (["vacation"], Activity.EXTENDED_AWAY, ""),
        (["holiday"], Activity.EXTENDED_AWAY, ""),
        (["permanent-absence"], Activity.EXTENDED_AWAY, ""),
        (["sleeping"], Activity.EXTENDED_AWAY, ""),
        (["away"], Activity.AWAY, ""),
        (["meal"], Activity.MEAL, ""),
        (["breakfast"], Activity.MEAL, ""),
        (["lunch"], Activity.MEAL, ""),
        (["dinner"], Activity.MEAL, ""),
        (["in-transit"], Activity.AWAY, ""),
        (["travel"], Activity.AWAY, ""),
        (["appointment"], Activity.AWAY, ""),
        (["steering"], Activity.AWAY, ""),
        (["shopping"], Activity.AVAILABLE, "Shopping"),
        (["looking-for-work"], Activity.AVAILABLE, "Looking for work"),
        (["unknown"], Activity.AVAILABLE, ""),
        (["away", "busy"], Activity.BUSY, ""),
        (["away", "vacation"], Activity.EXTENDED_AWAY, ""),
        (["shopping", "away"], Activity.AWAY, ""),
        (["meeting", "on-the-phone"], Activity.ON_THE_PHONE, ""),
        ([""], Activity.AVAILABLE, ""),
    ],
)
def test_rpid(elements: list[str], activity: Activity, text: str) -> None:
    assert rpid_activity(elements) == (activity, text)
    assert rpid_activity(reversed(elements))[0] is activity
