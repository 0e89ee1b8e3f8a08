"""Notifications: which events there are, who receives them, and how a delivery ends."""

from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from tui_manager_protos.lazy_dataclass import dataclass

TIME_LIMIT_MIN = timedelta(seconds=1)
TIME_LIMIT_MAX = timedelta(minutes=5)
TIME_LIMIT = timedelta(seconds=10)
AFTER_FAILURES_MAX = 1000  # more failures in a row are not counted either
PENDING_MAX = 10_000  # notifications of one receiver; the oldest of more is dropped
GIVEN_UP_AFTER = timedelta(hours=24)
FAILING_LONG = timedelta(minutes=10)  # after so long it needs an operator's attention
LOSS_SHOWN = timedelta(hours=24)  # for so long a notification that was lost needs attention
HOSTS_NAMED = 100  # in one event
ERROR_MAX = 300  # characters


class Event(StrEnum):
    """What receivers can be told."""

    TASK_ENDED = "task_ended"
    TASK_FAILED = "task_failed"
    TASK_RECOVERED = "task_recovered"
    HOLD_WAITS = "hold_waits"
    HOST_LOST = "host_lost"
    HOST_BACK = "host_back"
    SCHEDULE_SKIPPED = "schedule_skipped"
    CLOCK_JUMPED = "clock_jumped"


class ReceiverKind(StrEnum):
    """How a receiver is reached."""

    HOOK = "hook"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Hook:
    """A program that gets each event on stdin.

    Attributes:
        program: its absolute path, and its arguments.
        events: that it wants.
        after_failures: it is told of a failed task from so many failures in a row on, and of a
            recovered one only after such a row.
        time_limit: then it is killed.
    """

    name: str
    program: tuple[str, ...]
    events: tuple[Event, ...]
    after_failures: int = 1
    time_limit: timedelta = TIME_LIMIT

    @property
    def kind(self) -> ReceiverKind:
        """How it is reached."""
        return ReceiverKind.HOOK

    @property
    def place(self) -> str:
        """What people are shown of it; its arguments may hold a secret."""
        return self.program[0]


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL to which each event is posted.

    Attributes:
        url: may hold a secret.
        events, after_failures: as of a hook.
        time_limit: of one try.
        key_file: holds the key of its signatures; None: nothing is signed.
        ca_file: certificates of the authorities that may vouch for the server; None: those of the
            system.
    """

    name: str
    url: str = field(repr=False)
    events: tuple[Event, ...]
    after_failures: int = 1
    time_limit: timedelta = TIME_LIMIT
    key_file: Path | None = None
    ca_file: Path | None = None

    @property
    def kind(self) -> ReceiverKind:
        """How it is reached."""
        return ReceiverKind.WEBHOOK

    @property
    def place(self) -> str:
        """What people are shown of it."""
        return hide_path(self.url)


Receiver: TypeAlias = Hook | Webhook


def hide_path(url: str) -> str:
    """A URL without what may be a secret: only its scheme, host and port."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}/…"


class Outcome(StrEnum):
    """How one try to deliver ended."""

    DELIVERED = "delivered"
    FAILED = "failed"  # another try may succeed
    REFUSED = "refused"  # no try will


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from a receiver.

    Attributes:
        text: a phrase for people, without secrets, such as "HTTP status 503".
        retry_after: how long it wants to be left alone.
    """

    outcome: Outcome
    text: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ReceiverStatus:
    """The state of one receiver.

    Attributes:
        place: see Hook and Webhook.
        pending: notifications that wait for it.
        delivered, given_up, dropped: counted since it is known. What was given up was refused, or
            could not be delivered for too long; what was dropped was too much.
        delivered_at: when it took one last.
        failing_since: when the first of the tries that failed in a row was; None: the last one
            succeeded.
        last_error: why the last try failed; empty: it did not.
        lost_at: when one was given up or dropped last.
    """

    name: str
    kind: ReceiverKind
    place: str
    events: tuple[Event, ...]
    after_failures: int = 1
    pending: int = 0
    delivered: int = 0
    given_up: int = 0
    dropped: int = 0
    delivered_at: datetime | None = None
    failing_since: datetime | None = None
    last_error: str = ""
    lost_at: datetime | None = None

    def needs_attention(self, now: datetime) -> bool:
        """Whether it has failed for long, or something was lost not long ago."""
        return self.is_failing(now) or self.has_lost(now)

    def is_failing(self, now: datetime) -> bool:
        """Whether all tries have failed for long."""
        return self.failing_since is not None and now - self.failing_since > FAILING_LONG

    def has_lost(self, now: datetime) -> bool:
        """Whether some were given up or dropped not long ago."""
        return self.lost_at is not None and now - self.lost_at < LOSS_SHOWN
