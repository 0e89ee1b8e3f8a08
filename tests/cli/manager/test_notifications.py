"""`notifications`: what is printed of receivers, and a test of one."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.cli.conftest import Connect
from tests.cli.fake import FakeOperator
from tui_manager.cli.main import main
from tui_manager.domain.manager.notification import (
    Answer,
    Event,
    Outcome,
    ReceiverKind,
    ReceiverStatus,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PAGE = ReceiverStatus(
    "page", ReceiverKind.HOOK, "/bin/page", (Event.TASK_FAILED,), 3, 0, 7, delivered_at=AT
)
CHAT = ReceiverStatus(
    "chat",
    ReceiverKind.WEBHOOK,
    "https://chat.example.org/…",
    (Event.HOST_LOST, Event.HOST_BACK),
    pending=12,
    given_up=1,
    dropped=2,
    failing_since=AT,
    last_error="HTTP status 503",
    lost_at=AT,
)


@pytest.fixture
def operator(connect_to: Connect) -> FakeOperator:
    made = FakeOperator()
    made.receivers = (CHAT, PAGE)
    connect_to(lambda: made)
    return made


def test_the_list_says_what_waits_and_why(
    operator: FakeOperator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["notifications"]) == 0
    head, chat, page, why = capsys.readouterr().out.splitlines()
    assert head.split()[:5] == ["NAME", "KIND", "TO", "EVENTS", "WAIT"]
    assert chat.split()[:7] == [
        *("chat", "webhook", "https://chat.example.org/…", "host_lost,host_back", "12", "0", "3"),
    ]
    assert chat.split()[-1] == "fails"
    assert why.startswith("chat fails since 2026-01-0")
    assert why.endswith(": HTTP status 503")
    assert page.split()[-1] == "ok"


def test_the_list_as_json(operator: FakeOperator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notifications", "--json"]) == 0
    chat, page = json.loads(capsys.readouterr().out)
    assert chat == {
        "name": "chat",
        "kind": "webhook",
        "place": "https://chat.example.org/…",
        "events": ["host_lost", "host_back"],
        "after_failures": 1,
        "pending": 12,
        "delivered": 0,
        "given_up": 1,
        "dropped": 2,
        "delivered_at": None,
        "failing_since": "2026-01-02T03:04:05.000Z",
        "last_error": "HTTP status 503",
        "lost_at": "2026-01-02T03:04:05.000Z",
    }
    assert (page["last_error"], page["after_failures"]) == (None, 3)


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (Answer(Outcome.DELIVERED, "HTTP status 204"), 0, "chat: delivered: HTTP status 204\n"),
        (Answer(Outcome.FAILED, "exit status 1: \x1b]0;"), 1, "chat: failed: exit status 1: "),
        (Answer(Outcome.REFUSED, "HTTP status 410"), 1, "chat: refused: HTTP status 410\n"),
    ],
)
def test_a_test_says_what_came_back(
    operator: FakeOperator,
    capsys: pytest.CaptureFixture[str],
    answer: Answer,
    code: int,
    said: str,
) -> None:
    operator.answers["chat"] = answer
    assert main(["notifications", "test", "chat"]) == code
    printed = capsys.readouterr().out
    assert printed.startswith(said)
    assert "\x1b" not in printed


def test_a_receiver_that_is_not_in_the_settings(
    operator: FakeOperator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["notifications", "test", "nobody"]) == 2
    assert "name no hook or webhook 'nobody'" in capsys.readouterr().err


def test_a_manager_without_receivers(
    operator: FakeOperator, capsys: pytest.CaptureFixture[str]
) -> None:
    operator.receivers = ()
    assert main(["notifications"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    operator.receivers = (replace(PAGE, place="/bin/\x1b[31m"),)
    assert main(["notifications"]) == 0
    assert "\x1b" not in capsys.readouterr().out
