"""Reads what a manager serves: requests over a socket, and samples of an exposition."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from tests.support.managers.manager_parts import Parts
from tui_manager.domain.manager.address import split_address
from tui_manager.metrics.all_metrics import read_all
from tui_manager.metrics.exposition import Exposition
from tui_manager.metrics.manager_source import ManagerSource
from tui_manager.metrics.unended_work import FollowedWork

OPENMETRICS = "application/openmetrics-text;version=1.0.0"


@dataclass(frozen=True, slots=True)
class Scraped:
    """What an exposition says.

    Attributes:
        kinds: of each metric, by the name without `_total`.
        values: of each sample, by name and labels.
    """

    kinds: dict[str, str]
    values: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, /, **labels: str) -> float:
        """The value of one sample; without the prefix of all metrics."""
        return self.values[f"tui_manager_{name}", frozenset(labels.items())]

    def has(self, name: str, /, **labels: str) -> bool:
        """Whether there is such a sample."""
        return (f"tui_manager_{name}", frozenset(labels.items())) in self.values


def parsed(text: str, *, openmetrics: bool = False) -> Scraped:
    """Reads an exposition by Prometheus' own library, strictly."""
    families = list((read_openmetrics if openmetrics else read_text)(text))
    samples = [sample for family in families for sample in family.samples]
    values = {(one.name, frozenset(one.labels.items())): one.value for one in samples}
    assert len(values) == len(samples)
    return Scraped({family.name: family.type for family in families}, values)


def source_of(parts: Parts) -> ManagerSource:
    """The source of a manager in memory."""
    work = FollowedWork(parts.core)
    return ManagerSource(parts.core, parts.watch, work, Path("/"), "1.2.3", "m1")


def scraped(parts: Parts) -> Scraped:
    """The metrics of a manager in memory."""
    return scraped_of(source_of(parts))


def scraped_of(source: ManagerSource) -> Scraped:
    """The metrics of a source."""
    text, _ = Exposition().text(read_all(source), "")
    return parsed(text.decode())


async def request(address: str, head: str | bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a request.

    Args:
        head: the whole request, or its path, which is asked for with GET.
    """
    sent = head if isinstance(head, bytes) else f"GET {head} HTTP/1.0\r\nHost: x\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection(*split_address(address))
    try:
        writer.write(sent)
        answer = await reader.read()
    finally:
        writer.close()
    first, _, rest = answer.partition(b"\r\n")
    lines, _, body = rest.partition(b"\r\n\r\n")
    return int(first.split()[1]), dict(_headers(lines.decode().split("\r\n"))), body


def _headers(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        name, _, value = line.partition(": ")
        yield name, value
