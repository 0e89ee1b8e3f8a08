"""The settings `hooks` and `webhooks`, and what is shown of them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tui_manager.cli.load_settings import load
from tui_manager.cli.main import main
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.manager.notification import Event, Hook, Webhook

GOOD = """
[hooks.page]
program = ["/usr/local/bin/page", "--token", "s3cret"]
events = ["task_failed", "task_recovered", "task_failed"]
after_failures = 3
time_limit = "5m"
[hooks.log]
program = "/bin/log it"
events = ["clock_jumped"]
[webhooks.chat]
url = "https://ann:s3cret@chat.example.org:8443/T0/s3cret?s3cret"
key_file = "/etc/tui-manager/chat.key"
events = ["task_ended"]
time_limit = 1
"""
HOOK = '[hooks.page]\nprogram = "/bin/page"\nevents = ["task_ended"]\n'
WEBHOOK = '[webhooks.chat]\nurl = "https://chat.example.org/s3cret"\nevents = ["task_ended"]\n'


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "tui-manager" / "config.toml"
    path.parent.mkdir()
    return path


def test_receivers_are_read(config_file: Path) -> None:
    config_file.write_text(GOOD)
    settings = load({}, {}, config_file).settings
    failures = (Event.TASK_FAILED, Event.TASK_RECOVERED)
    assert settings.hooks == {
        "page": Hook(
            "page",
            ("/usr/local/bin/page", "--token", "s3cret"),
            failures,
            3,
            timedelta(minutes=5),
        ),
        "log": Hook("log", ("/bin/log it",), (Event.CLOCK_JUMPED,)),
    }
    assert settings.webhooks == {
        "chat": Webhook(
            "chat",
            "https://ann:s3cret@chat.example.org:8443/T0/s3cret?s3cret",
            (Event.TASK_ENDED,),
            1,
            timedelta(seconds=1),
            Path("/etc/tui-manager/chat.key"),
        )
    }
    assert "s3cret" not in repr(settings.webhooks)


@pytest.mark.parametrize("as_json", [False, True])
def test_no_secret_is_shown(
    config_file: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    config_file.write_text(GOOD)
    assert main(["config", *(["--json"] if as_json else [])]) == 0
    shown = capsys.readouterr().out
    assert "s3cret" not in shown
    assert "https://chat.example.org:8443/…" in json.dumps(shown, ensure_ascii=False)
    if not as_json:
        assert "\nwebhooks.chat          url = 'https://chat.example.org:8443/…', " in shown
    if as_json:
        assert json.loads(shown)["webhooks"]["value"] == {
            "chat": {
                "url": "https://chat.example.org:8443/…",
                "events": ["task_ended"],
                "key_file": "/etc/tui-manager/chat.key",
                "time_limit": "1s",
            }
        }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hooks = 1", "expected tables: [hooks.NAME]"),
        ("[hooks]\npage = '/bin/page'", "expected tables: [hooks.NAME]"),
        ("[hooks.'a b']\nprogram = '/bin/page'\nevents = []", "'a b' is not a name"),
        ("[hooks.page]\nevents = []", "page: program is missing"),
        ("[webhooks.chat]\nevents = []", "chat: url is missing"),
        (HOOK.replace("events", "event"), "page: there is no 'event'; there are program, events"),
        (HOOK.replace("/bin/page", "page"), "must begin with an absolute path"),
        (HOOK.replace('"/bin/page"', "[]"), "program must be a path, or a list"),
        (HOOK.replace('"/bin/page"', "['/bin/page', 1]"), "program must be a path, or a list"),
        (HOOK.replace("task_ended", "task_end"), "page: there is no event 'task_end'; there are"),
        (HOOK.replace('["task_ended"]', "[]"), "events must be a list of some of task_ended"),
        (HOOK + "after_failures = 0", "after_failures must be from 1 to 1000"),
        (HOOK + "after_failures = true", "after_failures must be from 1 to 1000"),
        (HOOK + "time_limit = '6m'", "time_limit must be from 1s to 5m"),
        (HOOK + "time_limit = []", "time_limit: expected"),
        (WEBHOOK.replace("https:", "ftp:"), "url must be a URL such as"),
        (WEBHOOK.replace("chat.example.org", ""), "url must be a URL such as"),
        (WEBHOOK.replace("chat.example.org", "chat:99999"), "url must be a URL such as"),
        (WEBHOOK.replace("s3cret", "s3cret\\u0007"), "url must be a URL such as"),
        (WEBHOOK.replace("s3cret", "s3cret#"), "url must be a URL such as"),
        (WEBHOOK + "key_file = 'key'", "key_file must be an absolute path"),
        (HOOK + WEBHOOK.replace("chat]", "page]"), "a hook and a webhook called page"),
    ],
)
def test_a_wrong_receiver_is_named_without_its_url(
    config_file: Path, text: str, words: str
) -> None:
    config_file.write_text(text)
    with pytest.raises(InvalidInputError) as error:
        load({}, {}, config_file)
    assert words in str(error.value)
    assert "s3cret" not in str(error.value)
