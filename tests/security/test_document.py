"""SECURITY.md names every key and certificate there is, and how long it lasts."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from tui_manager_protos.rules.duration import format_duration

from tests.security.examples import TestClock
from tui_manager.domain.hosts.join_token import TokenSpec
from tui_manager.security.certificates import certificate_lifetimes
from tui_manager.security.certificates.authority import Authority
from tui_manager.security.certificates.enrollment_identity import EnrollmentIdentity
from tui_manager.security.certificates.server_identity import ServerIdentity
from tui_manager.security.key_store import FolderKeys
from tui_manager.security.secret_box import SecretBox
from tui_manager.shared_keys import SECURITY

TEXT = (Path(__file__).parents[2] / "SECURITY.md").read_text(encoding="utf-8")
ROWS = dict(
    re.findall(r"^\| `(?:security|credentials)/(\S+)` \| .* \| (.*) \|$", TEXT, re.MULTILINE)
)


def test_every_file_of_keys_has_a_row(tmp_path: Path) -> None:
    folder, now = tmp_path / SECURITY, TestClock().now
    authority = Authority(FolderKeys(folder), "manager", now)
    ServerIdentity(authority, folder, (), now)
    EnrollmentIdentity(FolderKeys(folder), now)
    SecretBox(FolderKeys(folder).secrets_key())
    found = set(re.findall(rf"`{SECURITY}/(\S+)`", TEXT))
    assert found == {file.name for file in folder.iterdir()}


@pytest.mark.parametrize(
    ("file", "lifetime"),
    [
        ("authority.pem", certificate_lifetimes.AUTHORITY_LIFETIME),
        ("server.pem", certificate_lifetimes.SERVER_LIFETIME),
        ("enrollment.pem", certificate_lifetimes.ENROLLMENT_LIFETIME),
        ("certificate", certificate_lifetimes.HOST_LIFETIME),
    ],
)
def test_every_certificate_lasts_as_long_as_it_says(file: str, lifetime: timedelta) -> None:
    said = re.match(r"(\d+) (days|years), renewed.* at two thirds", ROWS[file])
    assert said, ROWS[file]
    number, unit = said.groups()
    assert lifetime == int(number) * {"days": timedelta(days=1), "years": timedelta(days=365)}[unit]


def test_what_a_token_is_unless_somebody_says_otherwise() -> None:
    usual = TokenSpec()
    assert (format_duration(usual.ttl), usual.uses, usual.auto_approve) == ("15m", 1, False)
    assert "It is valid for 15 minutes and for one\n   host, unless you say otherwise" in TEXT
    assert timedelta(days=1) == certificate_lifetimes.BACKDATED
    assert "All certificates begin one day before they are made" in TEXT
