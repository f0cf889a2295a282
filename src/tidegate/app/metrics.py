"""Metrics as Prometheus reads them: every ``Metric``, each with exactly its labels."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from tidegate.model import ConfigError, Metric, MetricKind

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What ``PrometheusRecorder.exposition`` is, for an HTTP header."""

SECONDS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds of every distribution, in seconds: from a commit to a transaction that waits."""

SERIES_MAX = 1_000
"""How many label sets a metric may have. More means that a label is no bounded set."""

BEYOND = "beyond_the_bound"
"""What every label says where a metric has more label sets: counted, so that nobody stops for it."""

_Series = Counter | Gauge | Histogram


class PrometheusRecorder:
    """Records every metric of the street in a registry of its own.

    A metric takes exactly its labels: others are refused with ``ConfigError``. After ``SERIES_MAX`` sets
    of them the rest is recorded under ``BEYOND``, because a label without bounds takes the monitoring
    down with it, and a metric must not stop what it measures. What has no labels is exported from the
    start as 0.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        self._metrics = {metric: _collector(metric, self._registry) for metric in Metric}
        self._series: dict[tuple[Metric, tuple[str, ...]], _Series] = {}
        self._counts = dict.fromkeys(Metric, 0)

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        """Add to a counter. Raises ``ConfigError`` for another kind, other labels or a negative amount."""
        series = self._of(metric, MetricKind.COUNTER, labels)
        if amount < 0:
            raise ConfigError(f"{metric.metric_name}: a counter only grows, was given {amount}")
        assert isinstance(series, Counter)
        series.inc(amount)

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        """Set a gauge. Raises ``ConfigError`` for another kind or other labels."""
        series = self._of(metric, MetricKind.GAUGE, labels)
        assert isinstance(series, Gauge)
        series.set(value)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Add one value to a distribution. Raises ``ConfigError`` for another kind or other labels."""
        series = self._of(metric, MetricKind.HISTOGRAM, labels)
        assert isinstance(series, Histogram)
        series.observe(value)

    def value(self, metric: Metric, **labels: str) -> float | None:
        """Return a counter's or gauge's value, a distribution's count; none if never recorded."""
        suffix = "_count" if metric.kind is MetricKind.HISTOGRAM else ""
        return self._registry.get_sample_value(metric.metric_name + suffix, dict(labels))

    def exposition(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self._registry)

    def _of(self, metric: Metric, kind: MetricKind, labels: Mapping[str, str]) -> _Series:
        if metric.kind is not kind:
            raise ConfigError(f"{metric.metric_name} is a {metric.kind.value}, not a {kind.value}")
        try:
            key = (metric, tuple(labels[name] for name in metric.labels))
        except KeyError:
            key = None
        if key is None or len(labels) != len(metric.labels):
            raise ConfigError(
                f"{metric.metric_name} has other labels",
                found=", ".join(labels) or "none",
                allowed=", ".join(metric.labels) or "none",
                fix="give each label by name, every time",
            )
        series = self._series.get(key)
        return series if series is not None else self._new(key)

    def _new(self, key: tuple[Metric, tuple[str, ...]]) -> _Series:
        metric, values = key
        whole = self._metrics[metric]
        if not values:
            series = whole
        elif self._counts[metric] < SERIES_MAX:
            series = whole.labels(*values)
        else:
            return whole.labels(*[BEYOND] * len(values))
        self._series[key] = series
        self._counts[metric] += 1
        return series


def _collector(metric: Metric, registry: CollectorRegistry) -> _Series:
    name, meaning, labels = metric.metric_name, metric.meaning, metric.labels
    match metric.kind:
        case MetricKind.COUNTER:
            return Counter(name, meaning, labels, registry=registry)
        case MetricKind.GAUGE:
            return Gauge(name, meaning, labels, registry=registry)
        case MetricKind.HISTOGRAM:
            return Histogram(name, meaning, labels, registry=registry, buckets=SECONDS_BUCKETS)
