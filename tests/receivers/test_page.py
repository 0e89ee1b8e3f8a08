"""What the page of the manual says is true: its settings, its hook, its check of a signature."""

import json
import os
import re
import stat
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.http_receiver import serving
from tui_manager.cli.read_receivers import read_hooks, read_webhooks
from tui_manager.domain.manager.notification import Event, Hook, Outcome, Webhook
from tui_manager.receivers.hook_program import HookProgram
from tui_manager.receivers.webhook import WebhookPost

PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")


def block(language: str, text: str) -> str:
    """The example of the page in this language that has this text."""
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (one,) = [example for example in found if text in example]
    return str(one)


def test_the_settings_of_the_page_are_read() -> None:
    found = tomllib.loads(block("toml", "[hooks.page]"))
    assert read_hooks(found["hooks"])["page"].after_failures == 3
    assert read_webhooks(found["webhooks"])["chat"].key_file == Path("/etc/tui-manager/chat.key")


def test_the_page_has_all_events() -> None:
    assert re.findall(r"^\| `(\w+_\w+)` \| [ath]", PAGE, re.MULTILINE)[-8:] == list(Event)


async def test_the_python_example_checks_a_signature(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(block("python", "def check"), names)
    key = tmp_path / "key"
    key.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    with serving(200) as server:
        post = WebhookPost(
            Webhook("chat", server.url, (), key_file=key),
            lambda: datetime.fromtimestamp(time.time(), UTC),
        )
        assert (await post.send("test", "id", b"{}")).outcome is Outcome.DELIVERED
    ((_, headers, body),) = server.requests
    assert names["check"](headers, body, key.read_text())
    assert not names["check"](headers, b"[]", key.read_text())
    assert not names["check"]({**headers, "webhook-timestamp": "1"}, body, key.read_text())


# Stands for jq: prints what the filter of the example would make of a task.
JQ = """#!/bin/sh
case $1 in -r) echo 'task_failed: task 7 nightly' ;; *) cat ;; esac
"""
MAIL = """#!/bin/sh
printf '%s\\n' "$@" > {folder}/arguments
cat > {folder}/mail
"""


async def test_the_hook_of_the_page_runs(tmp_path: Path) -> None:
    for name, text in (
        ("hook", block("sh", "jq -r")),
        ("jq", JQ),
        ("mail", MAIL.format(folder=tmp_path)),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(stat.S_IRWXU)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    hook = HookProgram(Hook("page", (str(tmp_path / "hook"),), ()), environment)
    body = json.dumps({"event": "task_failed"}).encode()
    answer = await hook.send("task_failed", "id", body)
    assert answer.outcome is Outcome.DELIVERED, answer
    said = (tmp_path / "arguments").read_text().splitlines()
    assert said == ["-s", "tui-manager: task_failed: task 7 nightly", "ops@example.org"]
    assert json.loads((tmp_path / "mail").read_text()) == {"event": "task_failed"}


@pytest.mark.parametrize("key", ["`events`", "`key_file`", "`after_failures`", "`time_limit`"])
def test_the_page_has_every_key(key: str) -> None:
    assert f"| {key} |" in PAGE
