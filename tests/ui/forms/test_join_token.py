"""A join token from the dashboard: the form, the line that is shown once, what is left of it."""

import base64
import logging
import shlex
import subprocess
from datetime import timedelta

import pytest
from textual.widgets import Input, Label

from tests.support.fake_operator.fake_operator import FakeOperator
from tests.ui.conftest import Running, press, settle, shown
from tui_manager.domain.errors import InvalidInputError, StorageError
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.domain.manager.address import join_line
from tui_manager.ui.app import DashboardApp
from tui_manager.ui.dashboard import DashboardScreen
from tui_manager.ui.forms.hosts.join_line import JoinLineScreen, wrap_for_shell
from tui_manager.ui.forms.hosts.join_token import JoinTokenScreen
from tui_manager.ui.forms.hosts.join_token_fields import TokenFields

SIZES = [(80, 24), (160, 48)]


@pytest.fixture
async def secure() -> FakeOperator:
    fleet = FakeOperator()
    fleet.security = "mTLS"
    fleet.add_host("web01")
    return fleet


def the_line(fleet: FakeOperator) -> str:
    return join_line("127.0.0.1:7443", "mTLS", fleet.tokens[-1][1].text)


def read_by_a_shell(command: str) -> list[str]:
    said = subprocess.run(
        ["/bin/sh", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True
    )
    return said.stdout.splitlines()


@pytest.mark.parametrize("size", SIZES)
async def test_the_defaults_make_a_line_that_a_shell_reads_from_the_screen(
    secure: FakeOperator, running: Running, size: tuple[int, int]
) -> None:
    async with running(secure, size) as pilot:
        await press(pilot, "J", "f5")
        await settle(pilot)
        assert secure.tokens[0][0] == TokenSpec()
        screen = shown(pilot)
        assert "It lets 1 host join within 15m, until 14:18:22 on 02 March." in screen
        rows = screen.splitlines()
        first = next(n for n, row in enumerate(rows) if row.startswith("tui-manager-agent"))
        last = next(n for n, row in enumerate(rows) if n > first and not row.strip())
        # Copied from the screen by mouse, as it stands there.
        copied = "\n".join(row.rstrip(" ") for row in rows[first:last])
        assert all(len(row) == size[0] for row in rows[first : last - 1])
        assert read_by_a_shell(copied) == shlex.split(the_line(secure))


async def test_what_is_typed_is_what_is_asked_for(secure: FakeOperator, running: Running) -> None:
    async with running(secure, (80, 24)) as pilot:
        await press(
            pilot, "J", *"2h", "enter", *"20", "tab", *"env=prod", "space", *"role=web", "tab"
        )
        assert "waits for an operator" in shown(pilot)
        await press(pilot, "space")
        assert "[x] approve at once" in shown(pilot)
        assert "keep it" in shown(pilot)
        await press(pilot, "tab", "enter")
        await settle(pilot)
        assert "It lets 20 hosts join within 2h" in shown(pilot)
        assert "Labels: env=prod role=web" in shown(pilot)
    ((spec, _),) = secure.tokens
    assert spec == TokenSpec(timedelta(hours=2), 20, True, {"env": "prod", "role": "web"})


async def test_what_is_wrong_is_said_while_it_is_typed(
    secure: FakeOperator, running: Running
) -> None:
    async with running(secure, (80, 24)) as pilot:
        await press(pilot, "J", *"soon", "tab", *"0", "tab", *"env", "f5")
        screen = pilot.app.screen
        assert isinstance(screen, JoinTokenScreen)
        problem = str(screen.query_one("#problem", Label).content)
        assert problem.startswith("It lasts a time like 90s")
        assert screen.focused is screen.query_one("#ttl", Input)
        assert not secure.tokens
        await press(pilot, "escape", "y")
        assert isinstance(pilot.app.screen, DashboardScreen)


async def test_an_error_of_the_manager_stays_in_the_form(
    secure: FakeOperator, running: Running
) -> None:
    async with running(secure, (80, 24)) as pilot:
        await press(pilot, "J")
        secure.failure = StorageError("The database is [locked]\x1b[2J.")
        await press(pilot, "f5")
        assert "The database is [locked]." in shown(pilot)
        secure.failure = None
        await press(pilot, "f5")
        await settle(pilot)
        assert isinstance(pilot.app.screen, JoinLineScreen)


async def test_it_is_copied_on_a_key_and_then_forgotten(
    secure: FakeOperator,
    running: Running,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(secure) as pilot:
        app = pilot.app
        assert isinstance(app, DashboardApp)
        written: list[str] = []
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", written.append)
        await press(pilot, "J", "f5")
        await settle(pilot)
        secret = secure.tokens[0][1].text
        line = the_line(secure)
        assert not any("\x1b]52" in text for text in written)
        await press(pilot, "c")
        encoded = base64.b64encode(line.encode()).decode()
        assert f"\x1b]52;c;{encoded}\a" in written
        assert [note.message for note in app._notifications] == [
            "Copied, if this terminal lets a program do that."
        ]
        shown_once = app.screen
        await press(pilot, "escape")
        await settle(pilot)
        assert isinstance(app.screen, DashboardScreen)
        assert secret not in shown(pilot)
        assert app.clipboard == ""
        assert secret not in repr(vars(shown_once))
        assert secret not in caplog.text


async def test_without_tls_there_is_no_token(running: Running) -> None:
    async with running(FakeOperator()) as pilot:
        await press(pilot, "J")
        assert isinstance(pilot.app.screen, DashboardScreen)
        assert [note.message for note in pilot.app._notifications] == [
            "There is no TLS (--insecure): hosts join without a token."
        ]


@pytest.mark.parametrize("size", SIZES)
async def test_an_empty_fleet_with_tls_says_which_key_makes_a_token(
    running: Running, size: tuple[int, int]
) -> None:
    fleet = FakeOperator()
    fleet.security = "mTLS"
    async with running(fleet, size) as pilot:
        text = shown(pilot)
        assert "J makes a join token" in text
        assert "tui-manager token create" in text
        assert "tui-manager-agent run --manager 127.0.0.1:7443 --join-token TOKEN" in text


async def test_a_manager_that_listens_everywhere_is_dialled_at_its_own_address(
    secure: FakeOperator, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secure, "address", "0.0.0.0:7443")
    async with running(secure, (160, 48)) as pilot:
        app = pilot.app
        assert isinstance(app, DashboardApp)
        app.link.own_addresses = lambda: ("10.1.2.3", "fd00::5")
        await press(pilot, "J", "f5")
        await settle(pilot)
        assert "--manager 10.1.2.3:7443 --join-token tm1." in shown(pilot)
        assert "Only this machine" not in shown(pilot)
        assert "which agents may have to use: [fd00::5]:7443." in shown(pilot)


@pytest.mark.parametrize("width", [20, 79, 80, 200])
def test_a_broken_line_is_the_same_to_a_shell(width: int) -> None:
    line = join_line("10.0.0.5:7443", "mTLS", "tm1." + "p" * 43 + "." + "s" * 32)
    pieces = wrap_for_shell(line, width)
    assert all(len(piece) == width for piece in pieces[:-1])
    assert "\n".join(pieces).replace("\\\n", "") == line


@pytest.mark.parametrize(
    ("fields", "spec"),
    [
        (TokenFields(), TokenSpec()),
        (TokenFields(ttl=" 90s ", uses="1,000"), TokenSpec(timedelta(seconds=90), 1000)),
        (TokenFields(labels="a=1, b=2\tc="), TokenSpec(labels={"a": "1", "b": "2", "c": ""})),
    ],
)
def test_fields_are_read(fields: TokenFields, spec: TokenSpec) -> None:
    assert fields.spec() == spec
    assert fields.problems() == {}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (TokenFields(ttl="soon"), "ttl"),
        (TokenFields(ttl="31d"), "ttl"),
        (TokenFields(uses="0"), "uses"),
        (TokenFields(uses="-1"), "uses"),
        (TokenFields(uses="²"), "uses"),
        (TokenFields(uses="9" * 5000), "uses"),
        (TokenFields(labels="env"), "label"),
        (TokenFields(labels="a=1 a=2"), "label"),
        (TokenFields(labels="\x1b[2J=1"), "label"),
        (TokenFields(labels=" ".join(f"k{n}=v" for n in range(65))), "label"),
    ],
)
def test_what_is_no_token(fields: TokenFields, wrong: str) -> None:
    assert list(fields.problems()) == [wrong]
    with pytest.raises(InvalidInputError) as raised:
        fields.spec()
    assert raised.value.field == wrong
