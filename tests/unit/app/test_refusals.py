"""Refusals at the edge go on record, and a flood of them does not fill it."""

from attrs import evolve

from bridge.app.refusals import ALL_PER_MINUTE, MAX_LINES, MINUTE, PER_MINUTE, EdgeRefusals
from bridge.compliance.record import RecordDraft
from bridge.delivery.ports import Entry
from tests.unit.delivery.test_pipeline import World
from transports.sip.machine.events import RequestRefused

REFUSED = RequestRefused(
    method="MESSAGE",
    source="192.0.2.1:5060",
    claimed_from="sip:mallory@corp.example",
    target="sip:theboogyman@aim.corp.example",
    call_id="c1",
    status=403,
    reason="From is not yours",
)


class Edge:
    """Refusals over a pipeline with a journal in memory, and a clock that the test moves."""

    def __init__(self) -> None:
        self.world = World()
        self.now = 1000.0
        self.refusals = EdgeRefusals(self.world.pipeline, clock=lambda: self.now)

    def refuse(self, source: str = "192.0.2.1:5060", times: int = 1) -> None:
        for _ in range(times):
            self.refusals.refused(evolve(REFUSED, source=source))

    @property
    def entries(self) -> list[Entry]:
        return self.world.journal.entries

    @property
    def intakes(self) -> list[RecordDraft]:
        return [entry.records[0] for entry in self.entries]

    def details(self) -> list[str]:
        return [(draft.payload or b"").decode() for draft in self.intakes]


def test_a_refusal_is_on_record_with_all_that_was_claimed() -> None:
    edge = Edge()
    edge.refuse()
    (detail,) = edge.details()
    assert "From is not yours" in detail
    assert "mallory@corp.example" in detail
    assert edge.entries[0].records[1].fields["decision"] == "forbid"
    assert not edge.entries[0].enqueue


def test_what_is_no_message_is_not_recorded() -> None:
    edge = Edge()
    edge.refusals.refused(evolve(REFUSED, method="REGISTER"))
    assert edge.entries == []


def test_a_source_has_an_allowance_and_its_ports_share_it() -> None:
    edge = Edge()
    for port in range(PER_MINUTE + 50):
        edge.refuse(f"192.0.2.1:{port}")
    edge.refuse("[2001:db8::1]:5060")
    assert len(edge.entries) == PER_MINUTE + 1
    edge.now += MINUTE
    edge.refusals.tick()
    assert "50 more messages of 192.0.2.1 were refused" in edge.details()[-1]
    edge.refuse()
    assert len(edge.entries) == PER_MINUTE + 3


def test_all_sources_together_have_an_allowance() -> None:
    edge = Edge()
    for number in range(ALL_PER_MINUTE + 7_000):
        edge.refuse(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}:5060")
    assert len(edge.entries) == ALL_PER_MINUTE
    assert len(edge.refusals._sources) <= ALL_PER_MINUTE
    edge.now += MINUTE
    edge.refuse("192.0.2.9:1")
    assert "7000 more messages of further sources" in edge.details()[-2]
    assert len(edge.entries) == ALL_PER_MINUTE + 2


def test_the_lines_at_the_end_of_a_minute_are_bounded_and_count_everything() -> None:
    edge = Edge()
    sources = ALL_PER_MINUTE // PER_MINUTE
    for number in range(sources):
        edge.refuse(f"192.0.2.{number}:1", PER_MINUTE + number)
    before = len(edge.entries)
    edge.now += MINUTE
    edge.refusals.tick()
    assert len(edge.entries) - before == min(sources - 1, MAX_LINES + 1)
    edge.refusals.tick()
    assert len(edge.entries) - before == min(sources - 1, MAX_LINES + 1)


def test_text_of_a_peer_that_is_not_unicode_is_recorded_all_the_same() -> None:
    edge = Edge()
    edge.refusals.refused(evolve(REFUSED, claimed_from="sip:\udcff@x"))
    assert len(edge.entries) == 1
