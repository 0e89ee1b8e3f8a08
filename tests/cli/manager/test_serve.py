"""The line that `serve` prints when it is ready."""

from dataclasses import replace

import pytest

from tests.support.fake_operator.fake_operator import FakeOperator
from tui_manager.cli.commands.serve import listening_line


@pytest.mark.parametrize(
    ("address", "enroll_address", "words"),
    [
        ("10.0.0.5:7443", "10.0.0.5:7444", "10.0.0.5:7443 mTLS, enrolment on :7444"),
        ("10.0.0.5:7443", "10.0.0.6:80", "10.0.0.5:7443 mTLS, enrolment on 10.0.0.6:80"),
        ("[::1]:7443", "[::1]:7444", "[::1]:7443 mTLS, enrolment on :7444"),
    ],
)
async def test_it_says_where_agents_dial_and_where_hosts_enrol(
    address: str, enroll_address: str, words: str
) -> None:
    status = await FakeOperator().manager_status()
    status = replace(status, address=address, enroll_address=enroll_address, security="mTLS")
    assert listening_line(status) == f"listening on {words}, state in /var/lib/tui-manager"


async def test_it_says_where_metrics_are() -> None:
    assert listening_line(await FakeOperator().manager_status(), "[::1]:9464") == (
        "listening on 127.0.0.1:7443 insecure, metrics on http://[::1]:9464/metrics, "
        "state in /var/lib/tui-manager"
    )


async def test_without_tls_nobody_enrols() -> None:
    assert listening_line(await FakeOperator().manager_status()) == (
        "listening on 127.0.0.1:7443 insecure, state in /var/lib/tui-manager"
    )
