"""`run --offline wait`, and what `task show` says of it."""

from datetime import timedelta

import pytest

from tui_manager.cli.main import main
from tui_manager.cli.options.arguments import parse
from tui_manager.cli.options.tasks.run import task_spec
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.task_spec import DELIVERY_TIMEOUT, Offline


def _spec(*options: str) -> tuple[Offline, timedelta]:
    spec = task_spec(parse(["run", "web01", *options, "--", "true"]))
    spec.check()
    return spec.offline, spec.delivery_timeout


def test_a_task_fails_on_offline_hosts_unless_it_says_otherwise() -> None:
    assert _spec() == (Offline.FAIL, DELIVERY_TIMEOUT)
    assert _spec("--offline", "fail") == (Offline.FAIL, DELIVERY_TIMEOUT)
    assert _spec("--offline", "wait") == (Offline.WAIT, DELIVERY_TIMEOUT)
    waits = _spec("--offline", "wait", "--delivery-timeout", "30m")
    assert waits == (Offline.WAIT, timedelta(minutes=30))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--delivery-timeout", "30m"], "needs --offline wait"),
        (["--offline", "wait", "--delivery-timeout", "soon"], "expected a number of seconds"),
        (["--offline", "wait", "--delivery-timeout", "31d"], "from 1 s to 30 d"),
        (["--offline", "maybe"], "'maybe' is none of fail, wait"),
    ],
)
def test_what_makes_no_sense_is_said(
    options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        _spec(*options)
    assert main(["run", "web01", *options, "--", "true"]) == 2
    assert complaint in capsys.readouterr().err
