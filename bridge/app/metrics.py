"""Prometheus metrics on a loopback port: read from plain counters when they are asked for, never pushed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attrs import define
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.twisted import MetricsResource
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.web.resource import Resource
from twisted.web.server import Site

from bridge.app.status import message_numbers, states_of
from bridge.app.values import HostPort
from bridge.model.capabilities import LinkState

if TYPE_CHECKING:
    from bridge.app.daemon import Daemon


@define(eq=False)
class DaemonCollector(Collector):
    """Reads a daemon's numbers."""

    daemon: "Daemon"

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics as they are now."""
        daemon = self.daemon
        yield _counters("simplebridge_messages", "Messages by what became of them", "event", message_numbers(daemon))
        lanes = daemon.pipeline.lanes
        yield _gauges("simplebridge_queue", "Deliveries", "state", {"waiting": lanes.total, "sending": lanes.sending})
        yield _gauges("simplebridge_sip", "What the SIP endpoint keeps", "kind", daemon.sip.counts)
        yield from self._journal()
        yield from self._links()
        for name, network in daemon.networks.items():
            yield _gauges(
                f"simplebridge_network_{name}", "Numbers of the network's transport", "kind", network.numbers()
            )

    def _links(self) -> Iterator[Metric]:
        """The health of links by network and state, never by account: there may be thousands of those."""
        labels = ("network", "state")
        links = GaugeMetricFamily("simplebridge_links", "Accounts by network and state", labels=labels)
        changes = CounterMetricFamily("simplebridge_link_changes", "How often a link came into a state", labels=labels)
        for name, network in self.daemon.networks.items():
            for state, count in states_of(network.states()).items():
                links.add_metric((name, state), count)
            for known in LinkState:
                changes.add_metric((name, known.value), self.daemon.ingresses[name].changes[known])
        yield links
        yield changes

    def _journal(self) -> Iterator[Metric]:
        stats = self.daemon.journal.stats()
        done = {"batches": stats.batches, "entries": stats.entries, "failed": stats.failed}
        yield _counters("simplebridge_journal", "The compliance store's writes", "kind", done)
        now = {"waiting": stats.waiting, "largest_batch": stats.largest_batch}
        yield _gauges("simplebridge_journal_state", "The compliance store's queue", "kind", now)
        yield GaugeMetricFamily(
            "simplebridge_journal_commit_seconds", "How long the last commit took", stats.last_commit_seconds
        )


def _counters(name: str, text: str, label: str, values: Any) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family


def _gauges(name: str, text: str, label: str, values: Any) -> Metric:
    family = GaugeMetricFamily(name.replace("-", "_"), text, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family


def serve(reactor: Any, at: HostPort, daemon: "Daemon") -> IListeningPort:
    """Serves ``/metrics``.

    Raises:
        OSError: the port cannot be opened.
    """
    registry = CollectorRegistry()
    registry.register(DaemonCollector(daemon))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    root = Resource()  # type: ignore[no-untyped-call]
    root.putChild(b"metrics", MetricsResource(registry))  # type: ignore[no-untyped-call]
    site = Site(root)  # type: ignore[no-untyped-call]
    try:
        port: IListeningPort = reactor.listenTCP(at.port, site, interface=at.host)
    except CannotListenError as e:
        raise OSError(f"metrics.listen: {e}") from e
    return port
