"""How a task goes through its hosts: what an operator asks for, and its checks. Which host is in
which batch: `tasks/assign_batches.py`."""

import re
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.duration import format_duration

from tui_manager.domain.errors import InvalidInputError

HOLD_TIMEOUT = timedelta(hours=24)  # the default
HOLD_TIMEOUT_RANGE = (timedelta(seconds=1), timedelta(days=30))
DELAY_MAX = timedelta(days=7)
BATCHES_LENGTH = 1000  # characters
_NUMBER = r"([0-9]{1,9})(%?)"
_REST = "rest"


class Order(StrEnum):
    """In which order the hosts of a task begin."""

    NAME = "name"
    RANDOM = "random"


class HoldRule(StrEnum):
    """After which batches a task waits until an operator resumes it."""

    NEVER = ""
    EACH = "each"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class Size:
    """A number of hosts, or a part of all hosts.

    Attributes:
        value: hosts, or percent.
    """

    value: int
    percent: bool = False

    def of(self, hosts: int, at_least: int = 1) -> int:
        """The number of hosts, a percentage rounded down, and not less than `at_least`."""
        return max(at_least, hosts * self.value // 100 if self.percent else self.value)


def read_size(field: str, text: str, *, lowest: int = 1) -> Size:
    """A size as typed: `3` or `10%`.

    Args:
        field: the input that an error names.
        lowest: the smallest number that is allowed, of hosts and of percent.

    Raises InvalidInputError(field).
    """
    match = re.fullmatch(_NUMBER, text.strip())
    if match is None:
        raise InvalidInputError(
            field, f"{text[:80]!r} is not a number of hosts such as 3, or a part such as 10%."
        )
    size = Size(int(match[1]), bool(match[2]))
    if size.value < lowest or (size.percent and size.value > 100):
        bounds = f"{lowest}% to 100%" if size.percent else f"{lowest} or more"
        raise InvalidInputError(field, f"{text.strip()} is out of bounds: {bounds}.")
    return size


def read_batches(text: str) -> tuple[Size | None, ...]:
    """The sizes of batches as typed: `1,10%,rest`; None stands for `rest`. Empty: no batches.

    Raises InvalidInputError("batches").
    """
    if not text.strip():
        return ()
    words = [word.strip() for word in text.split(",")]
    if len(text) > BATCHES_LENGTH:
        raise InvalidInputError(
            "batches", f"The list of batches has more than {BATCHES_LENGTH} characters."
        )
    if _REST in words[:-1]:
        raise InvalidInputError("batches", "`rest` can only be the last batch.")
    if "" in words:
        raise InvalidInputError(
            "batches", f"A batch in {text[:80]!r} is empty; write sizes such as 1,10%,rest."
        )
    return tuple(None if word == _REST else read_size("batches", word) for word in words)


@dataclass(frozen=True, slots=True)
class RolloutSpec:
    """A rollout as the operator gives it. The default lets all hosts begin at once.

    Attributes:
        batches: as typed, `1,10%,rest`; empty: one batch of all hosts.
        delay: from the end of a batch until the next one begins.
        max_concurrency: hosts under way at one time, as typed, `5` or `10%`; empty: all.
        max_failures: hosts that may fail, as typed, `0` or `10%`; empty: all.
        strict: at most `max_failures` + 1 hosts can fail, because no more are under way.
        hold: after which batches the task waits for an operator.
        hold_timeout: how long it waits; then the rest is skipped.
    """

    batches: str = ""
    order: Order = Order.NAME
    delay: timedelta = timedelta(0)
    max_concurrency: str = ""
    max_failures: str = ""
    strict: bool = False
    hold: HoldRule = HoldRule.NEVER
    hold_timeout: timedelta = HOLD_TIMEOUT

    @property
    def texts(self) -> tuple[str, ...]:
        """What was asked for: `batches 1,10%,rest`, `at most 5 at one time`."""
        return tuple(filter(None, (self._order_text, *self._limit_texts, self.hold_text)))

    @property
    def _order_text(self) -> str:
        texts = [f"batches {self.batches}"] if self.batches else []
        if self.order is not Order.NAME:
            texts.append(f"{self.order} order")
        if self.delay:
            texts.append(f"{format_duration(self.delay)} between batches")
        return ", ".join(texts)

    @property
    def _limit_texts(self) -> Iterator[str]:
        if self.max_concurrency:
            yield f"at most {self.max_concurrency} at one time"
        if self.max_failures:
            yield f"at most {self.max_failures} may fail{', strict' if self.strict else ''}"

    @property
    def hold_text(self) -> str:
        """`hold after each batch, up to 1d`; empty: never."""
        if self.hold is HoldRule.NEVER:
            return ""
        batch = "each batch" if self.hold is HoldRule.EACH else "the first batch"
        return f"hold after {batch}, up to {format_duration(self.hold_timeout)}"

    def check(self) -> None:
        """Raises InvalidInputError, naming the field, when something is out of bounds, or has no
        effect without another field."""
        batches = read_batches(self.batches)
        if self.max_concurrency:
            read_size("max_concurrency", self.max_concurrency)
        if self.max_failures:
            read_size("max_failures", self.max_failures, lowest=0)
        if not timedelta(0) <= self.delay <= DELAY_MAX:
            raise InvalidInputError("delay", "A delay between batches must be from 0 s to 7 d.")
        low, high = HOLD_TIMEOUT_RANGE
        if not low <= self.hold_timeout <= high:
            raise InvalidInputError("hold_timeout", "A hold timeout must be from 1 s to 30 d.")
        if self.strict and not self.max_failures:
            raise InvalidInputError(
                "strict", "A strict budget needs a number of hosts that may fail (max failures)."
            )
        if not batches and (self.delay or self.hold is not HoldRule.NEVER):
            field = "delay" if self.delay else "hold"
            raise InvalidInputError(field, f"A {field} needs batches.")


ALL_AT_ONCE = RolloutSpec()
