"""What the host can check is checked before a join token is used."""

from pathlib import Path

import pytest
from tui_manager_agent.identity.identity import Identity, StateError
from tui_manager_agent.link.enrollment import Enrollment
from tui_manager_agent.settings import Settings
from tui_manager_agent.supervisor import record
from tui_manager_protos.rules.join_token import JoinToken

from tests.agent.agent_process import AgentProcess
from tests.agent.fake_enrollment import FakeEnrollment
from tests.agent.fake_manager import FakeManager
from tests.agent.faults import full


@pytest.mark.parametrize("policy", ["max_timeout = 3\n", None])
async def test_no_token_is_spent_with_a_policy_that_cannot_be_used(
    policy: str | None,
    fresh: AgentProcess,
    tls_manager: FakeManager,
    enrollment: FakeEnrollment,
    tmp_path: Path,
) -> None:
    file = tmp_path / "policy.toml"
    if policy:
        file.write_text(policy)
        file.chmod(0o600)
    await fresh.run(tls_manager, f"--join-token={enrollment.token}", f"--policy={file}")
    status, errors = await fresh.ended()
    assert status == 2
    assert errors.startswith(f"tui-manager-agent: {file}: It allows no command." if policy else "")
    assert str(file) in errors
    assert enrollment.requests == []
    assert not fresh.state_dir.exists()


async def test_a_token_is_not_spent_on_a_certificate_that_cannot_be_kept(
    enrollment: FakeEnrollment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    identity = Identity(tmp_path)
    monkeypatch.setattr(record, "write_all", full)
    settings = Settings(managers=["127.0.0.1:1"], state_dir=tmp_path)
    try:
        with pytest.raises(StateError, match="cannot be used: No space left on device"):
            await Enrollment(settings, identity, JoinToken.parse(enrollment.token)).enroll()
    finally:
        identity.close()
    assert enrollment.requests == []
