"""Counts and times of a service, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from compose.serve.served import Served
from compose.serve.sources import Source

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The metrics of one service, in a registry of its own.

    Labels are only names and versions of models that exist, so that requests cannot make more of them.
    """

    def __init__(self):
        self._registry, of = CollectorRegistry(), ("model", "version")
        self._requests = Counter(
            "compose_requests", "Predictions that were asked for, by HTTP status.", (*of, "status"),
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "compose_request_seconds", "From the whole request to its answer.", of, buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._rows = Histogram(
            "compose_batch_examples", "Examples that ran together.", of, buckets=_ROWS, registry=self._registry
        )
        self._batches = Histogram(
            "compose_batch_seconds", "How long a batch ran.", of, buckets=_SECONDS, registry=self._registry
        )
        self._reloads = Counter(
            "compose_reloads", "Changed files, by whether they were good.", (*of, "good"), registry=self._registry
        )

    def asked(self, source: Source, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(source.name, source.version, str(status)).inc()
        self._seconds.labels(source.name, source.version).observe(seconds)

    def ran(self, source: Source, rows: int, seconds: float) -> None:
        """Count a batch."""
        self._rows.labels(source.name, source.version).observe(rows)
        self._batches.labels(source.name, source.version).observe(seconds)

    def reloaded(self, source: Source, good: bool) -> None:
        """Count a changed file."""
        self._reloads.labels(source.name, source.version, str(good).lower()).inc()

    def show(self, models: Iterable[Served]) -> None:
        """Add what is read from the models when somebody asks: the examples that wait, and who is ready."""
        self._registry.register(_State(models))

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self._registry)


class _State(Collector):
    def __init__(self, models: Iterable[Served]):
        self._models = models

    def collect(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("compose_waiting_examples", "Examples in the queue.", labels=("model", "version"))
        ready = GaugeMetricFamily("compose_ready", "1 if the model answers.", labels=("model", "version"))
        for served in self._models:
            labels = (served.source.name, served.source.version)
            waiting.add_metric(labels, served.waiting)
            ready.add_metric(labels, served.state == "READY")
        yield waiting
        yield ready
