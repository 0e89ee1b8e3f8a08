"""What keeps an agent running comes to hosts with the agent."""

from tui_manager.agent_bundle.source_files import find_sources


def test_a_bundle_has_the_units_and_the_script() -> None:
    found = {file.path: file for file in find_sources().files}
    assert found["share/run-agent.sh"].is_program
    assert "share/tui-manager-agent.service" in found
    assert "share/user/tui-manager-agent.service" in found
    assert not [path for path in found if "tui_manager_agent/share" in path]
