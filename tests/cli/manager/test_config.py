"""Settings: their sources, their order, and what is said of bad ones."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tui_manager.cli.load_settings import NAMES, load
from tui_manager.cli.main import main
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.manager.address import is_loopback, split_address
from tui_manager.domain.manager.notification import Event, Hook, Webhook
from tui_manager.settings import Settings, check_security, enroll_address


def test_later_sources_win(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('state_dir = "/from/file"\nlisten = "127.0.0.1:1"\nkill_grace = "500ms"\n')
    environment = {"TUI_MANAGER_STATE_DIR": "/from/environment", "TUI_MANAGER_LISTEN": "[::1]:2"}
    config = load({"state_dir": "/from/line", "insecure": True}, environment, path)
    assert config.settings.state_dir == Path("/from/line")
    assert config.settings.listen == "[::1]:2"
    assert config.settings.kill_grace == timedelta(milliseconds=500)
    assert config.sources["state_dir"] == "command line"
    assert config.sources["listen"] == "environment TUI_MANAGER_LISTEN"
    assert config.sources["kill_grace"] == f"file {path}"
    assert config.sources["heartbeat"] == "default"


def test_without_anything_all_is_default(tmp_path: Path) -> None:
    config = load({}, {}, tmp_path / "none.toml")
    assert config.settings == Settings()
    assert set(config.sources.values()) == {"default"}


def test_every_setting_can_stand_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        'state_dir = "~/state"\ndatabase = "postgresql://tui@db1/tui"\nlog_dir = "/logs"\n'
        'change_feed = "nats://n1"\nname = "m1"\n'
        'listen = "localhost:0"\ninsecure = true\n'
        'lost_after = "2m"\nheartbeat = 7\nkill_grace = "1.5s"\noutput_limit = "32MiB"\n'
        "free_disk = 4096\nfiles_limit = 1048577\nhistory_days = 2048\n"
        'enroll_listen = "[::]:0"\nadvertise = "m1.example.org:7443"\n'
        'metrics = "10.0.0.5:9464"\n'
        'authority_certificate = "/ca.pem"\n'
        'authority_key = "/ca.key"\nserver_certificate = "~/s.pem"\nserver_key = "~/s.key"\n'
        'server_names = ["192.0.2.7", "manager.example.org"]\n'
        'theme = "contrast"\nnotify = "terminal"\nnotify_after = "2m"\n'
        '[groups]\nweb = "role=web"\n[keys]\nnew_task = "N"\nquit = ["Q", "ctrl+q"]\n'
        '[hooks.page]\nprogram = "/bin/page"\nevents = ["task_ended"]\n'
        '[webhooks.chat]\nurl = "https://chat.example.org/"\nevents = ["task_ended"]\n'
    )
    config = load({}, {}, path)
    assert set(config.sources.values()) == {f"file {path}"}
    assert config.settings == Settings(
        state_dir=Path.home() / "state",
        database="postgresql://tui@db1/tui",
        change_feed="nats://n1",
        name="m1",
        log_dir=Path("/logs"),
        listen="localhost:0",
        enroll_listen="[::]:0",
        advertise="m1.example.org:7443",
        metrics="10.0.0.5:9464",
        insecure=True,
        lost_after=timedelta(minutes=2),
        heartbeat=timedelta(seconds=7),
        kill_grace=timedelta(seconds=1.5),
        output_limit=32 << 20,
        free_disk=4096,
        files_limit=1048577,
        history_days=2048,
        authority_certificate=Path("/ca.pem"),
        authority_key=Path("/ca.key"),
        server_certificate=Path.home() / "s.pem",
        server_key=Path.home() / "s.key",
        server_names=("192.0.2.7", "manager.example.org"),
        groups={"web": "role=web"},
        theme="contrast",
        notify="terminal",
        notify_after=timedelta(minutes=2),
        hooks={"page": Hook("page", ("/bin/page",), (Event.TASK_ENDED,))},
        webhooks={"chat": Webhook("chat", "https://chat.example.org/", (Event.TASK_ENDED,))},
        keys={"new_task": ("N",), "quit": ("Q", "ctrl+q")},
    )


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("9464", "127.0.0.1:9464"),
        (":9464", "127.0.0.1:9464"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("[::1]:9464", "[::1]:9464"),
        ("", ""),
    ],
)
def test_metrics_are_for_this_machine_unless_a_host_is_given(
    tmp_path: Path, given: str, address: str
) -> None:
    assert load({"metrics": given}, {}, tmp_path / "none").settings.metrics == address
    environment = {"TUI_MANAGER_METRICS": given}
    assert load({}, environment, tmp_path / "none").settings.metrics == address


def test_a_relative_state_dir_on_the_line_is_meant_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load({"state_dir": "here"}, {}, tmp_path / "none.toml")
    assert config.settings.state_dir == tmp_path / "here"


@pytest.mark.parametrize(
    ("line", "key", "words"),
    [
        ("colour = 1", "colour", "there is no setting 'colour'; there are state_dir"),
        ("kill_grace = 'soon'", "kill_grace", "'soon': expected a number of seconds"),
        ("kill_grace = '2h'", "kill_grace", "from 0s to 1h"),
        ("kill_grace = -1", "kill_grace", "from 0s to 1h"),
        ("kill_grace = true", "kill_grace", "expected a number of seconds"),
        ("lost_after = '999999999d'", "lost_after", "from 1s to 7d"),
        ("heartbeat = '10m'", "heartbeat", "shorter than lost_after"),
        ("output_limit = '1 MB'", "output_limit", "16MiB"),
        ("output_limit = 1", "output_limit", "from 1KiB to 16GiB"),
        ("history_days = '30'", "history_days", "a whole number from 0 to 36500"),
        ("history_days = 1.5", "history_days", "a whole number"),
        ("history_days = true", "history_days", "a whole number"),
        ("history_days = -1", "history_days", "must be from 0 to 36500"),
        ("listen = 'here'", "listen", "HOST:PORT"),
        ("listen = '127.0.0.1:65536'", "listen", "HOST:PORT"),
        ("listen = 7443", "listen", "HOST:PORT"),
        ("name = 'm 1'", "name", "name = 'm 1': expected at most 63 letters, digits,"),
        ("name = 1", "name", "expected at most 63 letters"),
        ("advertise = 'm1.example.org'", "advertise", "expected HOST:PORT"),
        ("advertise = '0.0.0.0:7443'", "advertise", "advertise = '0.0.0.0:7443': expected"),
        ("advertise = 'm1:0'", "advertise", "a port from 1 to 65535"),
        ("advertise = 7443", "advertise", "expected HOST:PORT"),
        ("metrics = 'here'", "metrics", "expected HOST:PORT or PORT, the port from 0 to 65535"),
        ("metrics = 65536", "metrics", "expected HOST:PORT or PORT"),
        ("metrics = true", "metrics", "expected HOST:PORT or PORT"),
        ("enroll_listen = 'here'", "enroll_listen", "HOST:PORT"),
        ("authority_key = 'ca.key'", "authority_key", "absolute path"),
        ("server_certificate = 7", "server_certificate", "absolute path"),
        ("authority_certificate = '/a'", "authority_key", "needs authority_key as well"),
        ("theme = 'pink'", "theme", "must be one of dark, light, terminal, contrast"),
        ("notify = true", "notify", "must be one of off, bell, terminal"),
        ("notify_after = '8d'", "notify_after", "from 0s to 7d"),
        ("keys = 'n'", "keys", "[keys]"),
        ("keys = {new = 'N'}", "keys", "there is no action 'new'; there are add_schedule, "),
        ("keys = {help = []}", "keys", "help needs a key"),
        ("keys = {help = 'ctrl+1'}", "keys", "help = 'ctrl+1' is not a key; take a character"),
        ("keys = {help = 'alt+h'}", "keys", "help = 'alt+h' is not a key"),
        ("keys = {help = ['h', 7]}", "keys", "help = 7 is not a key"),
        ("keys = {help = 'ctrl+i'}", "keys", "a terminal sends tab for it"),
        ("keys = {help = 'G'}", "keys", "this key moves the cursor in every list"),
        ("keys = {help = 'ctrl+c'}", "keys", "this key says how to quit"),
        ("keys = {help = 'n'}", "keys", "'n' would be the key of both new_task and help on the"),
        ("server_key = '/a'", "server_certificate", "needs server_certificate as well"),
        ("server_names = 'web01'", "server_names", "expected a list"),
        ("server_names = ['web01:7443']", "server_names", "without a port"),
        ("server_names = ['https://web01/']", "server_names", "nor a DNS name"),
        ("server_names = [7]", "server_names", "neither an address"),
        ("database = 7", "database", "expected a URL such as postgresql://"),
        ("database = 'db1'", "database", "expected a URL such as postgresql://"),
        ("insecure = 'yes'", "insecure", "true or false"),
        ("state_dir = ''", "state_dir", "absolute path"),
        ("state_dir = 'here'", "state_dir", "absolute path"),
        ("state_dir = '~nobody-of-that-name/x'", "state_dir", "home directory"),
        ("groups = 'web'", "groups", "[groups]"),
        ("groups = {web = 1}", "groups", "group web needs a target"),
        ("groups = {'a b' = '@all'}", "groups", "not a group's name"),
        ("groups = {all = 'web01'}", "groups", "a group cannot be called all"),
        ("groups = {online = 'web01'}", "groups", "a group cannot be called online"),
        ("groups = {offline = 'web01'}", "groups", "a group cannot be called offline"),
        ("groups = {maintenance = '*'}", "groups", "a group cannot be called maintenance"),
        ("= 1", "config", "line 1"),
    ],
)
def test_a_bad_file_is_named_with_key_value_and_what_is_allowed(
    config_file: Path, capsys: pytest.CaptureFixture[str], line: str, key: str, words: str
) -> None:
    config_file.write_text(line)
    assert main(["config"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tui-manager: ")
    assert str(config_file) in said
    assert words in said
    with pytest.raises(InvalidInputError) as error:
        load({}, {}, config_file)
    assert error.value.field == key


def test_a_file_that_cannot_be_read(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config_file.mkdir()
    assert main(["hosts"]) == 2
    assert f"{config_file} cannot be used: Is a directory." in capsys.readouterr().err
    config_file.rmdir()
    config_file.write_bytes(b"\xff")
    assert main(["hosts"]) == 2


def test_a_bad_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUI_MANAGER_LISTEN", "nonsense")
    assert main(["config"]) == 2
    assert "environment TUI_MANAGER_LISTEN: listen = 'nonsense'" in capsys.readouterr().err


def test_config_prints_every_setting(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config_file.write_text('kill_grace = "90s"\n[groups]\nweb = "role=web"\n[keys]\nhelp = "h"')
    assert main(["config", "--listen", "127.0.0.1:0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["SETTING", "VALUE", "FROM"]
    assert [line.split()[0] for line in lines[1:]] == list(NAMES)
    found = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines[1:]}
    assert found["kill_grace"].split(maxsplit=1) == ["90s", f"file {config_file}"]
    assert found["listen"].split(maxsplit=1) == ["127.0.0.1:0", "command line"]
    assert found["groups"].startswith("web = 'role=web'")
    assert found["keys"].startswith("help = ['h']")
    assert found["enroll_listen"].split() == ["-", "default"]
    assert found["server_key"].split() == ["-", "default"]
    assert found["server_names"].split() == ["-", "default"]


def test_config_as_json(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config_file.write_text('server_names = ["web01", "::1"]')
    assert main(["--insecure", "config", "--enroll-listen", "[::1]:9", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["enroll_listen"] == {"value": "[::1]:9", "source": "command line"}
    assert found["authority_key"] == {"value": None, "source": "default"}
    assert found["server_names"] == {"value": ["web01", "::1"], "source": f"file {config_file}"}
    assert tuple(found) == NAMES
    assert found["insecure"] == {"value": True, "source": "command line"}
    assert found["lost_after"] == {"value": "5m", "source": "default"}
    assert found["output_limit"] == {"value": "16MiB", "source": "default"}


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [("127.0.0.1:7443", "127.0.0.1", 7443), ("[::1]:0", "::1", 0), ("web:65535", "web", 65535)],
)
def test_addresses(address: str, host: str, port: int) -> None:
    assert split_address(address) == (host, port)


@pytest.mark.parametrize("address", ["", ":1", "a", "a:", "a:x", "a:-1", "a:65536", "::1:80"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(InvalidInputError, match="HOST:PORT"):
        split_address(address)


def test_what_is_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.org", "")))


def test_tls_is_the_default_on_any_address() -> None:
    check_security(Settings())
    check_security(Settings(listen="0.0.0.0:7443"))
    check_security(Settings(listen="0.0.0.0:7443", enroll_listen="[::]:0"))


def test_a_manager_without_tls_stays_on_loopback() -> None:
    check_security(Settings(insecure=True))
    check_security(Settings(listen="localhost:65535", insecure=True))
    for listen in ("0.0.0.0:7443", "[::]:7443", "192.0.2.7:0", "web01:7443"):
        with pytest.raises(InvalidInputError, match="without TLS") as error:
            check_security(Settings(listen=listen, insecure=True))
        assert error.value.field == "insecure"
        assert listen in str(error.value)


def test_without_tls_nobody_enrols() -> None:
    with pytest.raises(InvalidInputError, match="either --insecure or --enroll-listen") as error:
        check_security(Settings(insecure=True, enroll_listen="127.0.0.1:8000"))
    assert error.value.field == "enroll_listen"


@pytest.mark.parametrize(
    ("listen", "enroll_listen", "address"),
    [
        ("127.0.0.1:7443", "", "127.0.0.1:7444"),
        ("[::]:7443", "", "[::]:7444"),
        ("0.0.0.0:0", "", "0.0.0.0:0"),
        ("0.0.0.0:7443", "127.0.0.1:9", "127.0.0.1:9"),
        ("192.0.2.7:7443", "192.0.2.8:7443", "192.0.2.8:7443"),
        ("127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"),
    ],
)
def test_hosts_enrol_on_the_next_port_unless_told(
    listen: str, enroll_listen: str, address: str
) -> None:
    assert enroll_address(Settings(listen=listen, enroll_listen=enroll_listen)) == address


@pytest.mark.parametrize(
    ("listen", "enroll_listen", "words"),
    [
        ("127.0.0.1:65535", "", "no port after"),
        ("127.0.0.1:7443", "127.0.0.1:7443", "requires a certificate"),
        ("0.0.0.0:7443", "127.0.0.1:7443", "requires a certificate"),
        ("192.0.2.7:7443", "[::]:7443", "requires a certificate"),
    ],
)
def test_where_hosts_cannot_enrol(listen: str, enroll_listen: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as error:
        check_security(Settings(listen=listen, enroll_listen=enroll_listen))
    assert error.value.field == "enroll_listen"
    assert "--enroll-listen" in str(error.value)


def test_serve_refuses_what_is_not_safe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--listen", "0.0.0.0:0", "--insecure"]) == 2
    assert "--insecure" in capsys.readouterr().err


def test_the_variable_of_enrolment(tmp_path: Path) -> None:
    environment = {"TUI_MANAGER_ENROLL_LISTEN": "127.0.0.1:8000"}
    config = load({}, environment, tmp_path / "none.toml")
    assert config.settings.enroll_listen == "127.0.0.1:8000"
    assert config.sources["enroll_listen"] == "environment TUI_MANAGER_ENROLL_LISTEN"


SECRET = "s3cret"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://tui:{SECRET}@db1/tui", "postgresql://tui:***@db1/tui"),
        (f"postgres://tui:{SECRET}@db1", "postgres://tui:***@db1"),
        (
            f"postgresql://db1/tui?oauth_client_secret={SECRET}&scram_client_key={SECRET}",
            "postgresql://db1/tui?oauth_client_secret=***&scram_client_key=***",
        ),
        (
            f"postgresql://db1/tui?user=tui&password={SECRET}&sslmode=verify-full",
            "postgresql://db1/tui?user=tui&password=***&sslmode=verify-full",
        ),
        (
            f"postgresql://tui@db1/tui?sslpassword={SECRET}&pass%77ord={SECRET}",
            "postgresql://tui@db1/tui?sslpassword=***&pass%77ord=***",
        ),
        ("postgresql:///?service=tui", "postgresql:///?service=tui"),
        ("postgresql://a,b:5433/tui", "postgresql://a,b:5433/tui"),
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
    monkeypatch.setenv("TUI_MANAGER_DATABASE", url)
    assert main(["config", *json_option]) == 0
    out = capsys.readouterr().out
    assert shown in out
    assert "environment TUI_MANAGER_DATABASE" in out
    assert SECRET not in out
    config = load({}, {"TUI_MANAGER_DATABASE": url}, Path("/none"))
    assert config.settings.database == url
    assert SECRET not in repr(config)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"postgesql://tui:{SECRET}@db1/tui", "such as postgresql://USER@HOST/DATABASE"),
        (f"host=db1 password={SECRET}", "such as postgresql://USER@HOST/DATABASE"),
        (f"postgresql://tui:{SECRET}@x@db1/tui", "write @ as %40"),
        (f"postgresql://tui:a/{SECRET}@db1/tui", "/ as %2F"),
        (f"postgresql://tui:{SECRET}?x@db1/tui", "? as %3F"),
        (f"postgresql://db1?password={SECRET}@x", "? as %3F"),
        (f"postgresql://tui:{SECRET}%zz@db1/tui", "a percent sign as %25"),
        (f"postgresql://tui:{SECRET} @db1/tui", "a space as %20"),
        (f"postgresql://tui:{SECRET}%00@db1/tui", "a percent sign as %25"),
    ],
)
def test_a_bad_url_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, words: str
) -> None:
    monkeypatch.setenv("TUI_MANAGER_DATABASE", url)
    assert main(["config"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tui-manager: environment TUI_MANAGER_DATABASE: database: ")
    assert words in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "rest", ["[::1/tui", "[::1]x/tui", "db1/tui?sslmode=a=b", "db1/tui?nonsense=1", "db1/tui?x"]
)
def test_what_libpq_says_of_a_url_repeats_no_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rest: str
) -> None:
    monkeypatch.setenv("TUI_MANAGER_DATABASE", f"postgresql://tui:{SECRET}@{rest}")
    assert main(["check"]) == 2
    said = capsys.readouterr().err
    assert f"postgresql://tui:***@{rest}, cannot be read" in said
    assert SECRET not in said
