"""The setting `change_feed`: how it is written, what is refused, and that no password is shown."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.databases.postgresql import postgresql_database
from tests.support.managers.nats_server import nats_server
from tests.support.waiting import wait_until
from tui_manager.cli.load_settings import load
from tui_manager.cli.main import main
from tui_manager.domain.errors import InvalidInputError
from tui_manager.run_manager import run_manager
from tui_manager.settings import Settings
from tui_manager.transport.change_feed.nats_address import NatsAddress, nats_address

SECRET = "s3cret"
VARIABLE = "TUI_MANAGER_CHANGE_FEED"
DATABASE = {"TUI_MANAGER_DATABASE": "postgresql://db1/tui"}
_WITHOUT_CLIENT = """
import sys
sys.modules["nats"] = None
from tui_manager.cli.main import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("nats://n1", NatsAddress((("n1", 4222),))),
        ("tls://n1,n2:1", NatsAddress((("n1", 4222), ("n2", 1)), tls=True)),
        ("nats://[::1],[::2]:7", NatsAddress((("::1", 4222), ("::2", 7)))),
        ("nats://t%40:a%3Ab%2F@n1:5", NatsAddress((("n1", 5),), user="t@", password="a:b/")),
        (
            "tls://tui@n1?passfile=/p&sslrootcert=/c%20a",
            NatsAddress(
                (("n1", 4222),),
                tls=True,
                user="tui",
                passfile=Path("/p"),
                sslrootcert=Path("/c a"),
            ),
        ),
        (
            "tls://n1?sslcert=/c&sslkey=/k",
            NatsAddress((("n1", 4222),), tls=True, sslcert=Path("/c"), sslkey=Path("/k")),
        ),
    ],
)
def test_an_address_is_read(url: str, address: NatsAddress) -> None:
    assert nats_address(url) == address


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"http://tui:{SECRET}@n1", "such as nats://USER:PASSWORD@HOST:PORT"),
        (f"nats:tui:{SECRET}@n1", "such as nats://"),
        (f"nats://tui:{SECRET}@", "such as nats://"),
        (f"nats://tui:{SECRET}@n1,", "such as nats://"),
        (f"nats://tui:{SECRET}@n1:0", "such as nats://"),
        (f"nats://tui:{SECRET}@n1:65536", "such as nats://"),
        (f"nats://tui:{SECRET}@::1", "such as nats://"),
        (f"nats://tui:{SECRET}@x@n1", "write @ as %40"),
        (f"nats://tui:{SECRET}/@n1", "/ as %2F"),
        (f"nats://tui:?{SECRET}@n1", "? as %3F"),
        (f"nats://tui:{SECRET}%zz@n1", "a percent sign as %25"),
        (f"nats://tui:{SECRET} @n1", "a space as %20"),
        (f"nats://{SECRET}@n1", "a user needs a password"),
        (f"nats://:{SECRET}@n1", "a user needs a password"),
        (f"nats://tui:{SECRET}@n1?passfile=/p", "a user that has no password in the URL"),
        ("nats://n1?passfile=/p", "a user that has no password in the URL"),
        (f"nats://tui:{SECRET}@n1?sslcert=/p", "sslcert and sslkey go together"),
        (f"nats://tui:{SECRET}@n1?sslrootcert=ca.pem", "sslrootcert, sslcert, sslkey, each with"),
        (f"nats://tui:{SECRET}@n1?password={SECRET}", "after the question mark stand passfile"),
    ],
)
def test_a_bad_address_is_refused_and_not_repeated(url: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        load({}, {**DATABASE, VARIABLE: url}, Path("/none"))
    assert raised.value.field == "change_feed"
    assert f"environment {VARIABLE}: change_feed: " in str(raised.value)
    assert words in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("value", ["7", "['nats://n1']"])
def test_another_type_is_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"change_feed = {value}\n")
    with pytest.raises(InvalidInputError, match="change_feed: expected a URL such as nats://"):
        load({}, DATABASE, path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"nats://tui:{SECRET}@n1,n2:7", "nats://tui:***@n1,n2:7"),
        (f"tls://tui:{SECRET}@n1?sslrootcert=/c", "tls://tui:***@n1?sslrootcert=/c"),
        ("tls://tui@n1?passfile=/p", "tls://tui@n1?passfile=/p"),
    ],
)
@pytest.mark.parametrize("json_option", [(), ("--json",)])
def test_config_shows_no_password(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
    shown: str,
    json_option: tuple[str, ...],
) -> None:
    monkeypatch.setenv("TUI_MANAGER_DATABASE", "postgresql://db1/tui")
    monkeypatch.setenv(VARIABLE, url)
    assert main(["config", *json_option]) == 0
    out = capsys.readouterr().out
    assert shown in out
    assert f"environment {VARIABLE}" in out
    assert SECRET not in out
    config = load({}, {**DATABASE, VARIABLE: url}, Path("/none"))
    assert config.settings.change_feed == url
    assert SECRET not in repr(config)
    assert SECRET not in repr(nats_address(url))


def test_it_needs_a_database_that_managers_share(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="needs a database of PostgreSQL") as raised:
        load({}, {VARIABLE: f"nats://tui:{SECRET}@n1"}, tmp_path / "none.toml")
    assert raised.value.field == "change_feed"
    assert SECRET not in str(raised.value)


def test_without_the_client_it_says_what_to_install(tmp_path: Path) -> None:
    with postgresql_database() as url:
        done = subprocess.run(
            [
                *(sys.executable, "-c", _WITHOUT_CLIENT, "--state-dir", str(tmp_path)),
                *("serve", "--insecure", "--listen", "127.0.0.1:0"),
            ],
            env={
                "TUI_MANAGER_DATABASE": url,
                VARIABLE: f"nats://tui:{SECRET}@n1",
                "HOME": str(tmp_path),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "pip install 'tui-manager[nats]'" in done.stderr
    assert SECRET not in done.stderr


async def test_a_manager_finds_nats_when_it_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tui_manager.service.managers")

    async def said() -> list[str]:
        return [record.getMessage() for record in caplog.records]

    with postgresql_database() as url, nats_server("--user", "tui", "--pass", SECRET) as server:
        server.stop()
        settings = Settings(
            state_dir=tmp_path,
            database=url,
            change_feed=f"nats://tui:{SECRET}@{server.place}",
            listen="127.0.0.1:0",
            insecure=True,
        )
        async with run_manager(settings):
            await wait_until(
                said, lambda lines: "managers cannot tell each other of changes" in lines
            )
            server.start()
            await wait_until(
                said, lambda lines: "managers tell each other of changes again" in lines
            )
    assert SECRET not in caplog.text
