"""What a metric is: a name, a sentence, labels, and how its samples are read. The tables of metrics
are made of it, and the manual is compared with them."""

from collections.abc import Callable, Iterable
from enum import StrEnum

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.metrics.manager_source import ManagerSource
from tui_manager.service.core.histogram import Histogram
from tui_manager.storage.engine.metric_counters import Act

PREFIX = "tui_manager_"


class Kind(StrEnum):
    """The types of Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Sample:
    """One value, with a value for each label.

    Attributes:
        value: of a counter or a gauge.
        bounds, cumulative, total: of a histogram, whose last number counts all.
    """

    labels: tuple[str, ...] = ()
    value: float = 0.0
    bounds: tuple[float, ...] = ()
    cumulative: tuple[int, ...] = ()
    total: float = 0.0


Samples = Iterable[Sample]
Labeled = Iterable[tuple[tuple[str, ...], float]]  # (values of the labels, value) of each sample


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: as Prometheus has it; a counter ends in `_total`.
        text: what it says, in one sentence.
        read: the samples now. Called on the manager's loop, so it must neither wait nor take long.
        labels: each has few values, whatever agents say: no host, no task, no text of anybody.
    """

    name: str
    kind: Kind
    text: str
    read: Callable[[ManagerSource], Samples]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The samples of a metric at one moment."""

    metric: Metric
    samples: tuple[Sample, ...]


def gauge(
    name: str,
    text: str,
    read: Callable[[ManagerSource], float | None],
) -> Metric:
    """A gauge without labels; None: it has no value now."""

    def samples(source: ManagerSource) -> Samples:
        value = read(source)
        return () if value is None else (Sample(value=float(value)),)

    return Metric(PREFIX + name, Kind.GAUGE, text, samples)


def counter(name: str, text: str, read: Callable[[ManagerSource], float]) -> Metric:
    """A counter without labels."""
    return Metric(
        f"{PREFIX}{name}_total", Kind.COUNTER, text, lambda source: (Sample(value=read(source)),)
    )


def labeled(
    kind: Kind,
    name: str,
    text: str,
    labels: tuple[str, ...],
    read: Callable[[ManagerSource], Labeled],
) -> Metric:
    """A counter or a gauge with labels."""

    def samples(source: ManagerSource) -> Samples:
        return (Sample(values, float(value)) for values, value in read(source))

    ending = "_total" if kind is Kind.COUNTER else ""
    return Metric(f"{PREFIX}{name}{ending}", kind, text, samples, labels)


def histogram(name: str, text: str, read: Callable[[ManagerSource], Histogram]) -> Metric:
    """A histogram without labels."""

    def samples(source: ManagerSource) -> Samples:
        found = read(source)
        return (Sample(bounds=found.bounds, cumulative=found.cumulative(), total=found.total),)

    return Metric(PREFIX + name, Kind.HISTOGRAM, text, samples)


def counted(source: ManagerSource, act: Act, *labels: str) -> int:
    """How often something has happened since the start."""
    return source.core.statistics.counted[(act, *labels)]


def by(source: ManagerSource, act: Act, values: Iterable[str]) -> Labeled:
    """The same for each value of the only label of an act."""
    return (((value,), counted(source, act, value)) for value in values)
