"""A task as an HTML page, read by Python's HTML reader; and by a browser if there is one."""

import asyncio
import base64
import hashlib
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.export.conftest import FINE, HOSTS, Operator, exported
from tui_manager.domain.output.output_buffer import OutputBuffer
from tui_manager.domain.presentation.export_format import Format
from tui_manager.domain.status import Reason, Stream
from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
from tui_manager.domain.tasks.transitions import Operation
from tui_manager.export import html_groups, html_page, html_timeline

VOID = {"meta", "rect", "path"}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Page(HTMLParser):
    """Elements with their attributes, and the text below each section.

    Fails if an element is not closed, or closed out of turn.
    """

    def __init__(self, document: str) -> None:
        super().__init__()
        self.document = document
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.texts: dict[str, str] = {}
        self._open: list[str] = []
        self._section = ""
        self.feed(document)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "section" and (name := dict(attrs).get("id")):
            self._section = name
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.texts[self._section] = self.texts.get(self._section, "") + data


def page(operator: Operator) -> Page:
    """The page of task 1. A rect has a title inside, and so both its tags."""
    document = exported(operator, Format.HTML)
    return Page(re.sub(r"<rect([^>]*)>(<title>[^<]*</title>)</rect>", r"<rect\1/>\2", document))


def test_what_stands_on_it(operator: Operator) -> None:
    made = page(operator)
    assert "#1 rolling <restart>" in made.texts[""]
    assert "6 completed" in made.texts[""]
    assert "exit 3: 1 host web03" in made.texts["failures"]
    assert "systemctl restart 'nginx' && echo <ok>" in made.texts["steps"]
    assert all(host in made.texts["timeline"] for host in HOSTS)
    output = made.texts["output"]
    assert "3 hosts exit 0 db01,web[01-02]ok\n" in output
    assert "1 host exit 3 web03bad � <&>\n┃=1+1 failed\n" in output
    assert "4 hosts earlier failed web[03-06] · no output" in output
    assert "failed: agent lost" in made.texts["hosts"]


def test_states_have_a_glyph_beside_their_colour(operator: Operator) -> None:
    document = exported(operator, Format.HTML)
    glyphs = {"completed": "✔", "failed": "✘", "timeout": "◷", "canceled": "⊘", "skipped": "⤼"}
    timeline = document[document.index('id="timeline"') : document.index('id="output"')]
    for status, glyph in glyphs.items():
        assert re.search(rf'<span class="{status}" title="[^"]*">{glyph}</span>', timeline), status


def test_bars_are_where_the_commands_ran(operator: Operator) -> None:
    document = exported(operator, Format.HTML)
    line = re.search(r'<th scope="row">web01</th><td><svg.*?</svg>', document)
    assert line
    bars = re.findall(r'<rect class="(\w+)" x="(\d+)" y="1" height="8" width="(\d+)">', line[0])
    assert bars == [("completed", "0", "332"), ("completed", "666", "332")]
    assert "restart: completed, 1.0s from 0s on" in line[0]


HOSTILE = (
    "</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>\"' <!-- &lt;\n"
    "\x1b]8;;http://evil.example/\x07click\x1b]8;;\x07 \x1b[38;2;1;2;999mx\x1b[0m\u202egnp\n"
)


def test_hostile_text_stays_text(operator: Operator) -> None:
    for stream in Stream:
        operator.emit(operator.execution(1, "web01", 0), HOSTILE.encode(), stream)
    task, line = operator.tasks[1], HOSTILE.splitlines()[0]
    task.row = replace(
        task.row, name="<script>alert(2)</script>", target=line, description=line, created_by=line
    )
    task.spec = replace(task.spec, commands=(CommandSpec(line, name=line),) * 2)
    made = page(operator)
    forbidden = ("script", "img", "a", "link", "iframe", "form", "object", "base")
    assert not [tag for tag in forbidden if made.tags[tag]]
    assert not [name for name, _ in made.attributes if name.startswith("on")]
    assert not [name for name, _ in made.attributes if name in ("src", "href", "style")]
    assert "<script>alert(2)</script>" in made.texts[""]
    assert "</pre></script><script>alert(1)</script><img src=x" in made.texts["output"]
    assert not set("\x1b\x07\u202e") & set(made.document)


def test_the_page_forbids_all_but_its_own_style(operator: Operator) -> None:
    document = exported(operator, Format.HTML)
    (style,) = re.findall("<style>(.*?)</style>", document, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = re.findall('Content-Security-Policy" content="([^"]*)"', document)
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style


def test_colours_of_output(operator: Operator) -> None:
    said = (
        b"\x1b[31mred\x1b[0m \x1b[1;38;5;208morange\x1b[m \x1b[7;42mon\x1b[0m \x1b[48;2;0;0;254mb"
    )
    operator.emit(operator.execution(1, "web01", 0), said)
    document = exported(operator, Format.HTML)
    assert '<span class="f1">red</span> <span class="b f208">orange</span>' in document
    assert '<span class="f2 gr">on</span> <span class="g21">b</span>' in document
    assert ".f208{color:#ff8700}" in document
    assert ".g21{background:#0000ff}" in document


def test_a_task_that_has_not_started() -> None:
    operator = Operator("web01")
    asyncio.run(operator.create_task(TaskSpec("@all", (CommandSpec("true"),))))
    made = page(operator)
    assert set(made.texts) == {"", "steps"}
    assert "As of2026-03-01 12:05:01 UTC" in made.texts[""]


def test_a_task_that_runs() -> None:
    operator = Operator("web01", "web02")
    asyncio.run(operator.create_task(TaskSpec("@all", (CommandSpec("true"),))))
    asyncio.run(operator.start_task(1))
    operator.emit(operator.execution(1, "web01", 0), b"begun\n")
    made = page(operator)
    assert "1 host running web01begun\n" in made.texts["output"]
    assert "running, 5:01 from 0s on" in made.document
    assert "waits for its start" in made.texts["hosts"]


def test_a_large_task_is_shown_in_parts(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html_page, "ROWS_MAX", 3)
    monkeypatch.setattr(html_timeline, "HOSTS_MAX", 4)
    monkeypatch.setattr(html_groups, "TEXT_MAX", 10)
    monkeypatch.setattr(html_groups, "GROUPS_MAX", 6)
    monkeypatch.setattr(html_groups, "COMPARED_ROWS", 10)
    monkeypatch.setattr(html_page, "COMPARED_ROWS", 10)
    monkeypatch.setattr(html_page, "HOSTS_MAX", 4)
    operator.emit(operator.execution(1, "web03", 0), b"more than there is room for\n")
    made = page(operator)
    assert "4 of 7 hosts: those on which something went wrong" in made.texts["timeline"]
    assert not any(host in made.texts["timeline"] for host in FINE)
    assert "3 of 14 command hosts, those with faults first." in made.texts["hosts"]
    assert "command hosts is not here" in made.texts["output"]
    assert "more group" in made.texts["output"]
    assert re.search(r"\d+ B more, not shown here", made.texts["output"])


@pytest.mark.parametrize("said", [b"\n", b"<\n", b"\x1b[31m<", b"&"])
def test_the_page_has_a_bound_whatever_is_printed(
    operator: Operator, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html_groups, "TEXT_MAX", 1 << 12)
    monkeypatch.setattr(html_groups, "TEXTS_MAX", 1 << 14)
    without = len(exported(operator, Format.HTML))
    for number, host in enumerate(HOSTS):
        for step in (0, 1):
            execution_id = operator.execution(1, host, step)
            operator.emit(execution_id, said * ((1 << 12) + 16 * number + step))
    assert len(exported(operator, Format.HTML)) - without < 6 << 14


def test_many_lines_are_counted(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_groups, "LINES_MAX", 5)
    operator.emit(operator.execution(1, "web03", 0), b"a\n" * 20)
    assert "17 lines more, not shown here." in page(operator).texts["output"]


def test_lines_that_are_not_shown_take_no_time(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[OutputBuffer] = []

    def noted() -> OutputBuffer:
        made.append(OutputBuffer())
        return made[-1]

    monkeypatch.setattr(html_groups, "LINES_MAX", 5)
    monkeypatch.setattr(html_groups, "OutputBuffer", noted)
    for _ in range(3):
        operator.emit(operator.execution(1, "web03", 0), b"\n" * 4000)
    assert "11,997 lines more, not shown here." in page(operator).texts["output"]
    assert max(len(buffer.lines) for buffer in made) == 6


def test_output_that_is_gone_is_named(operator: Operator) -> None:
    operator.end("web04", 0, Operation.FAIL, Reason.SIGNAL)
    operator.say("web04", b"", gap=100)
    assert "100 B are gone" in page(operator).texts["output"]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_shows_it_and_forbids_nothing_of_it(operator: Operator, tmp_path: Path) -> None:
    operator.emit(operator.execution(1, "web01", 0), HOSTILE.encode())
    path = tmp_path / "task.html"
    path.write_text(exported(operator, Format.HTML), encoding="utf-8")
    assert CHROMIUM
    done = subprocess.run(
        [
            CHROMIUM,
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--enable-logging=stderr", "--v=0", f"--user-data-dir={tmp_path / 'profile'}"),
            *("--dump-dom", path.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr  # what the policy of the page forbids is reported there
    assert done.stdout.count("<script") == 0
    assert "rolling &lt;restart&gt;" in done.stdout
