"""Readings as text for Prometheus, in the format that it asks for."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from tui_manager.metrics.metric import Kind, Reading


class Exposition(Collector):
    """Writes readings, and the usual figures of this process. It has a registry of its own, because
    several managers may run in one process. Used by one thread at a time."""

    def __init__(self) -> None:
        self._readings: Sequence[Reading] = ()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self, readings: Sequence[Reading], accept: str) -> tuple[bytes, str]:
        """The text and its type.

        Args:
            accept: the header `Accept` of the request; may be empty.
        """
        self._readings = readings
        try:
            encode, content_type = choose_encoder(accept)
            return encode(self._registry), content_type
        except (TypeError, ValueError):  # a version of the format that cannot be read
            encode, content_type = choose_encoder("")
            return encode(self._registry), content_type

    def collect(self) -> Iterable[Family]:
        """See Collector."""
        return map(_family, self._readings)

    def describe(self) -> Iterable[Family]:
        """See CollectorRegistry: nothing is known before there is a reading."""
        return ()


def _family(reading: Reading) -> Family:
    metric, labels = reading.metric, reading.metric.labels
    match metric.kind:
        case Kind.COUNTER:
            counter = CounterMetricFamily(metric.name, metric.text, labels=labels)
            for sample in reading.samples:
                counter.add_metric(sample.labels, sample.value)
            return counter
        case Kind.GAUGE:
            gauge = GaugeMetricFamily(metric.name, metric.text, labels=labels)
            for sample in reading.samples:
                gauge.add_metric(sample.labels, sample.value)
            return gauge
        case Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(metric.name, metric.text, labels=labels)
            for sample in reading.samples:
                bounds = [*map(str, sample.bounds), "+Inf"]
                buckets = list(zip(bounds, map(float, sample.cumulative), strict=True))
                histogram.add_metric(sample.labels, buckets, sample.total)
            return histogram
