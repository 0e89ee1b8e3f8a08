"""What a policy says of scripts, and of what is given to read from stdin."""

import hashlib
from pathlib import Path

import pytest
from tui_manager_agent.cli.main import main
from tui_manager_agent.policy.policy import CommandRequest
from tui_manager_agent.policy.policy_file import PolicyError, parse
from tui_manager_agent.supervisor import clock
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.fake_manager import FakeManager
from tests.agent.policies import ME, POLICY, refusal, to_run

SCRIPT = b"#!/bin/sh\ncat; echo $#\n"
KNOWN = hashlib.sha256(SCRIPT).hexdigest()
OTHER = "ab" * 32
SCRIPTS = f"""{POLICY}
stdin = true

[scripts]
cleanup = "{"cd" * 32}"
shouted = "{"EF" * 32}"

[scripts.deploy]
sha256 = "{KNOWN}"
arguments = ["-q", "v*", "/srv/*"]

[scripts.import]
sha256 = "{KNOWN}"
arguments = "v*"
stdin = true
"""


def script(sha256: str = KNOWN, **given: object) -> CommandRequest:
    return to_run("", script_sha256=sha256, **given)


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        (script(), "scripts.deploy"),
        (script("cd" * 32), "scripts.cleanup"),
        (script("ef" * 32), "scripts.shouted"),
        (script(arguments=("/srv/a", "-q", "v1", "v2")), "scripts.deploy"),
        (script(has_stdin=True), "scripts.import"),
        (script(arguments=("v1",), has_stdin=True), "scripts.import"),
        (script(user="deploy", variables=("VERSION",), folder="/srv/a"), "scripts.deploy"),
        (to_run("make all", has_stdin=True), "build"),
        (to_run(), "restart"),
    ],
)
def test_what_the_policy_names_is_allowed(asked: CommandRequest, rule: str) -> None:
    verdict = parse(SCRIPTS).judge(asked, ME)
    assert (verdict.rule, verdict.refusal) == (rule, "")


@pytest.mark.parametrize(
    ("asked", "limit", "problem"),
    [
        (
            script(OTHER),
            "scripts",
            f'no rule allows this script. To allow it: [scripts] NAME = "{OTHER}"',
        ),
        (
            script("cd" * 32, arguments=("x",)),
            "arguments",
            "[scripts.cleanup] has no pattern in arguments for 'x'",
        ),
        (
            script(arguments=("v1", "--force")),
            "arguments",
            "[scripts.deploy] has no pattern in arguments for '--force'",
        ),
        (
            script(arguments=("v1\nx",)),
            "arguments",
            "[scripts.deploy] has no pattern in arguments for 'v1\\nx'",
        ),
        (
            script(arguments=("v1", "-q"), has_stdin=True),
            "stdin",
            "[scripts.deploy] allows nothing to read from stdin. To allow it: stdin = true",
        ),
        (
            to_run(has_stdin=True),
            "stdin",
            "[allow.restart] allows nothing to read from stdin. To allow it: stdin = true",
        ),
        (script(user="postgres"), "users", "commands may not run as postgres"),
        (script(variables=("PATH",)), "environment", "PATH may not be set"),
        (script(folder="/tmp"), "folders", "not in /tmp"),
        (script(timeout=3600 * clock.SECOND), "max_timeout", "at most 30m, not 1h"),
    ],
)
def test_a_refusal_says_what_to_write(asked: CommandRequest, limit: str, problem: str) -> None:
    said = refusal(SCRIPTS, asked)
    assert said.startswith(f"refused by this host's policy ({limit}): {problem}")
    assert said.endswith("Ask ana@example.com.")


def test_a_policy_that_names_neither_allows_neither() -> None:
    assert "(scripts)" in refusal(POLICY, script())
    assert "(stdin)" in refusal(POLICY, to_run(has_stdin=True))
    everything = '[allow.all]\nregex = "(?s).*"\n'
    assert "(scripts)" in refusal(everything, script())
    assert "(stdin)" in refusal(everything, to_run("sh", has_stdin=True))


def test_a_policy_may_allow_scripts_alone() -> None:
    only = f'[scripts]\nx = "{KNOWN}"\n'
    assert not refusal(only, script())
    assert "(allow)" in refusal(only, to_run())
    assert "(allow)" in refusal(only, to_run(""))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[scripts]\n", "It allows no command"),
        ('scripts = ["x"]\n', "It allows no command"),
        ("[scripts]\nx = 1\n", "[scripts.x] must hold the SHA-256 of a script: 64 hex digits"),
        ('[scripts]\nx = "abc"\n', "64 hex digits"),
        (f'[scripts]\nx = "{KNOWN}0"\n', "64 hex digits"),
        ("[scripts.x]\nstdin = true\n", "64 hex digits"),
        (f'[scripts.x]\nsha256 = "{KNOWN}"\nargs = []\n', "There is no 'args' in [scripts.x]"),
        (f'[scripts.x]\nsha256 = "{KNOWN}"\narguments = [1]\n', "must be a list of texts"),
        (f'[scripts.x]\nsha256 = "{KNOWN}"\nstdin = "yes"\n', "must be true or false"),
        ('[allow.x]\ncommands = "x"\nstdin = 1\n', "stdin of [allow.x] must be true or false"),
        ("[allow.x]\nstdin = true\n", "[allow.x] must hold commands, or regex"),
    ],
)
def test_a_mistake_is_named(text: str, words: str) -> None:
    with pytest.raises(PolicyError) as raised:
        parse(text)
    assert words in str(raised.value)


# ------------------------------------------------------------------------------------ policy check


def check(*words: str) -> int:
    return main(["policy", "check", *words])


def test_the_owner_asks_of_a_script(
    tmp_path: Path, policy_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy_file.write_text(SCRIPTS)
    path = tmp_path / "deploy.sh"
    path.write_bytes(SCRIPT)
    options = (f"--policy={policy_file}", "--timeout=5m")
    assert check(*options, "--script", str(path)) == 0
    assert capsys.readouterr().out == "allowed by scripts.deploy\n"
    assert check(*options, f"--script={path}", "--stdin", "--", "v1") == 0
    assert capsys.readouterr().out == "allowed by scripts.import\n"
    assert check(*options, f"--script={path}", "--", "--force") == 1
    assert "(arguments)" in capsys.readouterr().out
    assert check(*options, "--stdin", "--", "systemctl status x") == 1
    assert "(stdin)" in capsys.readouterr().out
    path.write_bytes(SCRIPT + b"\n")
    assert check(*options, f"--script={path}") == 1
    assert hashlib.sha256(SCRIPT + b"\n").hexdigest() in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"), [(b"echo\n", "must begin with #!"), (None, "No such file")]
)
def test_the_owner_asks_of_what_is_no_script(
    tmp_path: Path,
    policy_file: Path,
    capsys: pytest.CaptureFixture[str],
    text: bytes | None,
    words: str,
) -> None:
    path = tmp_path / "deploy.sh"
    if text is not None:
        path.write_bytes(text)
    assert check(f"--policy={policy_file}", f"--script={path}") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"{path} cannot be run as a script: ")
    assert words in said.err


# --------------------------------------------------------------------------------- the whole agent


async def test_an_agent_with_a_policy_runs_what_it_names(
    manager: FakeManager, policy_file: Path, tmp_path: Path
) -> None:
    policy_file.write_text(
        f'[allow.cat]\ncommands = "cat"\nstdin = true\n[allow.read]\ncommands = "cat -"\n'
        f'[scripts.x]\nsha256 = "{KNOWN}"\narguments = "v*"\nstdin = true\n'
    )
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager, f"--policy={policy_file}")
    await manager.wait_for(lambda: manager.reports)
    for fields, limit, stdout in (
        ({"script": SCRIPT, "arguments": ["v1"], "stdin": b"in"}, "", b"in1\n"),
        ({"command": "cat", "stdin": b"in"}, "", b"in"),
        ({"command": "cat -", "stdin": b"in"}, "stdin", b""),
        ({"script": SCRIPT, "arguments": ["w1"]}, "arguments", b""),
        ({"script": SCRIPT + b"#"}, "scripts", b""),
    ):
        execution_id = manager.run(**{"command": "", **fields})  # type: ignore[arg-type]
        result = await manager.result(execution_id)
        assert f"({limit})" in result.detail if limit else not result.detail
        assert (result.reason == wire.RESULT_REASON_REJECTED) == bool(limit)
        assert manager.stored(execution_id).stdout == stdout
    await agent.close()
