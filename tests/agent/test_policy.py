"""The owner's veto: what a policy allows, when its file is trusted, and how a refusal is told."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from tui_manager_agent.cli.main import main
from tui_manager_agent.journal.records import Order
from tui_manager_agent.policy import account
from tui_manager_agent.policy.policy import RefusedError, Rule, Wanted
from tui_manager_agent.policy.policy_file import PolicyError, PolicyFile, default_path, parse
from tui_manager_agent.supervisor import clock, record
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.agent_process import AgentProcess
from tests.agent.conftest import Gate
from tests.agent.fake_manager import FakeManager
from tests.agent.orders import order

ME = account.own().name
POLICY = f"""
reason = "Ask ana@example.com."
users = ["{ME}", "deploy"]
max_timeout = "30m"
environment = ["APP_*", "VERSION"]
folders = ["/srv/*"]

[allow.restart]
commands = ["systemctl restart *", "systemctl status *"]

[allow.build]
regex = "make (all|clean)"
"""
ONLY_ECHO = '[allow.echo]\ncommands = "echo **"\n'
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")


def wanted(command: str = "systemctl restart nginx", **given: object) -> Wanted:
    values = {"user": ME, "timeout": 60 * clock.SECOND, **given}
    return Wanted(command=command, **values)  # type: ignore[arg-type]


def refusal(text: str, asked: Wanted) -> str:
    return parse(text).judge(asked, ME).refusal


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    path.chmod(0o600)
    return path  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        (wanted(), "restart"),
        (wanted("systemctl status nginx\n"), "restart"),
        (wanted("make all"), "build"),
        (wanted(user="deploy"), "restart"),
        (wanted(timeout=1800 * clock.SECOND), "restart"),
        (wanted(variables=("APP_ENV", "VERSION")), "restart"),
        (wanted(folder="/srv/app"), "restart"),
    ],
)
def test_what_a_rule_names_and_the_limits_hold_is_allowed(asked: Wanted, rule: str) -> None:
    verdict = parse(POLICY).judge(asked, ME)
    assert (verdict.rule, verdict.refusal) == (rule, "")


@pytest.mark.parametrize(
    ("asked", "limit", "problem"),
    [
        (wanted("rm -rf /"), "allow", "no rule allows this command"),
        (wanted("systemctl restart x; rm -rf /"), "allow", "no rule allows this command"),
        (wanted("make all; id"), "allow", "no rule allows this command"),
        (wanted("make all\nid"), "allow", "no rule allows this command"),
        (wanted(user="postgres"), "users", "commands may not run as postgres"),
        (
            wanted(timeout=3600 * clock.SECOND),
            "max_timeout",
            "at most 30m, not 1h; ask for less with --timeout",
        ),
        (
            wanted(kill_grace=3601 * clock.SECOND),
            "max_timeout",
            "a kill grace of at most 1h",
        ),
        (wanted(variables=("LD_PRELOAD",)), "environment", "LD_PRELOAD may not be set"),
        (wanted(folder="/tmp"), "folders", "not in /tmp"),
        (wanted(folder="/srv/../tmp"), "folders", "not in /srv/../tmp"),
    ],
)
def test_a_refusal_names_the_limit_and_has_the_owners_words(
    asked: Wanted, limit: str, problem: str
) -> None:
    said = refusal(POLICY, asked)
    assert said == f"refused by this host's policy ({limit}): {problem}: Ask ana@example.com."


def test_what_a_policy_does_not_name_it_does_not_allow() -> None:
    """A variable such as PATH, or a folder, would change what an allowed command does."""
    assert not refusal(ONLY_ECHO, wanted("echo a", timeout=7 * 86400 * clock.SECOND))
    assert "(users)" in refusal(ONLY_ECHO, wanted("echo a", user="another"))
    assert "(environment)" in refusal(ONLY_ECHO, wanted("echo a", variables=("PATH",)))
    assert "(folders)" in refusal(ONLY_ECHO, wanted("echo a", folder="/tmp"))


def test_the_agents_own_user_can_be_left_out() -> None:
    text = 'users = ["deploy"]\n' + ONLY_ECHO
    assert "(users)" in refusal(text, wanted("echo a"))
    assert not refusal(text, wanted("echo a", user="deploy"))


def test_every_variable_means_every_name_of_a_variable() -> None:
    """A shell takes a function from a variable called BASH_FUNC_echo%%."""
    text = 'environment = ["*"]\n' + ONLY_ECHO
    assert not refusal(text, wanted("echo a", variables=("PATH", "lower_case")))
    for name in ("BASH_FUNC_echo%%", "A-B", "A B", "1A", "A\n"):
        assert "(environment)" in refusal(text, wanted("echo a", variables=(name,)))


def test_an_order_of_an_older_agent_is_refused_by_a_policy_and_by_nothing_else(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = record.decode(order(command="systemctl restart nginx").encode())
    for unknown in ("user", "folder", "variables"):
        del entries[unknown]
    wanted = Order.decode(entries).wanted
    with pytest.raises(RefusedError, match="users"):
        PolicyFile(file).require_allowed(wanted)
    monkeypatch.setattr(
        "tui_manager_agent.policy.policy_file.default_path", lambda: file / "absent"
    )
    with pytest.raises(RefusedError, match="file"):
        PolicyFile(None).require_allowed(wanted)
    file.unlink()
    monkeypatch.setattr("tui_manager_agent.policy.policy_file.default_path", lambda: file)
    PolicyFile(None).require_allowed(wanted)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "It allows no command"),
        ('reason = "no"', "It allows no command"),
        ("allow = []", "It allows no command"),
        ("[allow]", "It allows no command"),
        ("[allow.x", "at end of document"),
        ("max_timout = 3\n" + ONLY_ECHO, "There is no 'max_timout' in a policy"),
        ("max_timeout = 0\n" + ONLY_ECHO, "max_timeout: '0' is not more than 0"),
        ('max_timeout = "soon"\n' + ONLY_ECHO, "max_timeout: 'soon' is not a duration"),
        ("max_timeout = true\n" + ONLY_ECHO, "max_timeout: 'True' is not a duration"),
        ("users = [1]\n" + ONLY_ECHO, "users must be a list of texts"),
        ('users = [""]\n' + ONLY_ECHO, "users must be a list of texts"),
        ("environment = true\n" + ONLY_ECHO, "environment must be a list of texts"),
        ("reason = 1\n" + ONLY_ECHO, "reason must be a text"),
        ("[allow.x]\n", "[allow.x] must hold commands, or regex"),
        ("[allow.x]\ncomands = 'a'", "[allow.x] must hold commands, or regex"),
        ("[allow.x]\nregex = '('", "regex of [allow.x] is none"),
        ("[allow.x]\ncommands = [['a']]", "commands of [allow.x] must be a list of texts"),
    ],
)
def test_a_policy_that_means_nothing_is_said_to(text: str, words: str) -> None:
    with pytest.raises(PolicyError) as wrong:
        parse(text)
    assert words in str(wrong.value)


@pytest.mark.parametrize(
    ("text", "limit"), [("1.5h", 5400 * clock.SECOND), ("500ms", 500 * clock.MILLISECOND),
                        ("1h30m", 5400 * clock.SECOND)],
)  # fmt: skip
def test_a_policy_takes_the_durations_that_a_manager_takes(text: str, limit: int) -> None:
    assert parse(f'max_timeout = "{text}"\n{ONLY_ECHO}').max_timeout == limit


def test_a_unit_may_come_once() -> None:
    with pytest.raises(PolicyError, match="each unit once"):
        parse(f'max_timeout = "1h1h"\n{ONLY_ECHO}')


def test_a_timeout_that_no_duration_holds_is_refused() -> None:
    longest = (1 << 63) * clock.SECOND  # more than a manager of ours sends
    verdict = parse(f'max_timeout = "5m"\n{ONLY_ECHO}').judge(wanted("echo a", timeout=longest), ME)
    assert verdict.refusal.startswith("refused by this host's policy (max_timeout): at most 5m, ")


def test_half_a_file_allows_no_more_than_the_whole() -> None:
    """An editor may have written only so much of it when the agent looks."""
    asked = [
        wanted(),
        wanted("make all"),
        wanted("make all; id"),
        wanted(user="postgres"),
        wanted(timeout=3600 * clock.SECOND),
        wanted(variables=("PATH",)),
        wanted(folder="/tmp"),
    ]
    whole = parse(POLICY)
    for end in range(len(POLICY)):
        try:
            half = parse(POLICY[:end])
        except PolicyError:
            continue
        for one in asked:
            assert not whole.judge(one, ME).refusal or half.judge(one, ME).refusal, POLICY[:end]


def test_a_change_of_the_file_counts_at_once(file: Path) -> None:
    policy = PolicyFile(file)
    assert policy.judge(wanted()).rule == "restart"
    file.write_text(ONLY_ECHO)
    assert "(allow)" in policy.judge(wanted()).refusal
    file.write_text("[allow")
    said = policy.judge(wanted("echo a")).refusal
    assert said.startswith(f"refused by this host's policy (file): {file}: ")
    file.write_text(ONLY_ECHO)
    assert policy.judge(wanted("echo a")).rule == "echo"
    file.unlink()
    said = policy.judge(wanted("echo a")).refusal
    assert said == f"refused by this host's policy (file): There is no policy {file}."


def test_without_a_policy_everything_is_allowed(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    absent = file.with_name("absent.toml")
    monkeypatch.setattr("tui_manager_agent.policy.policy_file.default_path", lambda: absent)
    policy = PolicyFile(None)
    assert not policy.read()
    assert (
        policy.judge(wanted("rm -rf /", user="root", folder="/x", variables=("A",))).refusal == ""
    )
    file.rename(absent)
    assert "(allow)" in policy.judge(wanted("rm -rf /")).refusal
    absent.unlink()
    assert "(file)" in policy.judge(wanted("rm -rf /")).refusal, "until the agent starts again"


def test_where_a_policy_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_path() == Path("/etc/tui-manager-agent/policy.toml")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert default_path() == tmp_path / "tui-manager-agent" / "policy.toml"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_allows_nothing(file: Path, mode: int) -> None:
    file.chmod(mode)
    policy = PolicyFile(file)
    assert f"{file} can be written by " in policy.judge(wanted()).refusal
    file.chmod(0o644)
    assert policy.judge(wanted()).refusal == ""


def test_a_file_in_a_folder_that_others_can_write_allows_nothing(file: Path) -> None:
    file.parent.chmod(0o777)
    policy = PolicyFile(file)
    said = policy.judge(wanted()).refusal
    assert f"{file.parent} can be written by anybody" in said
    file.parent.chmod(0o700)
    assert policy.judge(wanted()).refusal == ""


def test_a_link_is_as_good_as_what_it_leads_to(file: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    file.rename(real / "policy.toml")
    file.symlink_to(real / "policy.toml")
    assert PolicyFile(file).judge(wanted()).refusal == ""
    real.chmod(0o777)
    assert f"{real} can be written" in PolicyFile(file).judge(wanted()).refusal


def test_the_folder_of_a_link_in_the_middle_counts_as_well(file: Path, tmp_path: Path) -> None:
    middle, real = tmp_path / "middle", tmp_path / "real"
    middle.mkdir()
    real.mkdir()
    file.rename(real / "policy.toml")
    (middle / "link").symlink_to(real)
    file.symlink_to(middle / "link" / "policy.toml")
    assert PolicyFile(file).judge(wanted()).refusal == ""
    middle.chmod(0o777)
    assert f"{middle} can be written by anybody" in PolicyFile(file).judge(wanted()).refusal


@as_root
def test_a_file_of_somebody_else_allows_nothing(file: Path) -> None:
    os.chown(file, 65534, 65534)
    said = PolicyFile(file).judge(wanted()).refusal
    assert f"{file} belongs to nobody, who could replace what is there" in said


@as_root
def test_a_file_in_a_folder_of_somebody_else_allows_nothing(file: Path) -> None:
    os.chown(file.parent, 65534, 65534)
    assert "belongs to nobody" in PolicyFile(file).judge(wanted()).refusal
    os.chown(file.parent, 0, 0)


def test_what_is_no_file_allows_nothing_and_holds_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path / "fifo", tmp_path):
        assert "It is no file" in PolicyFile(path).judge(wanted()).refusal
    large = tmp_path / "large"
    large.write_bytes(b"#" * 300_000)
    assert "longer than 256 KiB" in PolicyFile(large).judge(wanted()).refusal
    large.write_bytes(b"# \xff\n" + ONLY_ECHO.encode())
    assert "not UTF-8 at byte 2" in PolicyFile(large).judge(wanted()).refusal


# --------------------------------------------------------------------------------- the whole agent


async def test_a_refused_command_never_starts(
    manager: FakeManager, file: Path, tmp_path: Path
) -> None:
    file.write_text(ONLY_ECHO)
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager, f"--policy={file}")
    await manager.wait_for(lambda: manager.reports)
    trace = tmp_path / "trace"
    refused = await manager.result(manager.run(f"touch {trace}"))
    allowed = await manager.result(manager.run("echo one two"))
    await agent.close()
    assert refused.status == wire.RESULT_STATUS_FAILED
    assert refused.reason == wire.RESULT_REASON_REJECTED
    assert refused.detail == ("refused by this host's policy (allow): no rule allows this command")
    assert not refused.HasField("duration")
    assert not trace.exists()
    assert allowed.status == wire.RESULT_STATUS_COMPLETED


async def test_every_part_of_the_wire_is_looked_at(manager: FakeManager, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('max_timeout = "5m"\n' + ONLY_ECHO)
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager, f"--policy={file}")
    await manager.wait_for(lambda: manager.reports)
    within = Duration(seconds=300)
    for limit, fields in (
        ("max_timeout", {}),  # absent: an hour
        ("max_timeout", {"timeout": Duration(seconds=301)}),
        ("max_timeout", {"timeout": within, "kill_grace": Duration(seconds=1 << 30)}),
        ("environment", {"timeout": within, "environment": {"PATH": "/tmp"}}),
        ("folders", {"timeout": within, "cwd": "/tmp"}),
        ("", {"timeout": within}),
    ):
        result = await manager.result(manager.run("echo a", **fields))
        assert (f"({limit})" in result.detail) == bool(limit)
        assert (result.reason == wire.RESULT_REASON_REJECTED) == bool(limit)
    await agent.close()


async def test_a_refusal_does_not_wait_its_turn(
    manager: FakeManager, file: Path, gate: Gate, tmp_path: Path
) -> None:
    file.write_text(f'[allow.wait]\ncommands = "cat {gate}"\n')
    agent = AgentProcess(tmp_path / "state")
    await agent.start(manager, f"--policy={file}", "--capacity=1")
    await manager.wait_for(lambda: manager.reports)
    running = manager.run(f"cat {gate}")
    await manager.wait_for(lambda: manager.stored(running).starts)
    assert (await manager.result(manager.run("id"))).reason == wire.RESULT_REASON_REJECTED
    gate.open()
    await manager.result(running)
    await agent.close()


@pytest.mark.parametrize("anew", [False, True])
async def test_an_owner_who_thinks_better_of_it_stops_what_waits(
    manager: FakeManager, file: Path, gate: Gate, tmp_path: Path, anew: bool
) -> None:
    """Also when another life of the agent takes it up."""
    file.write_text(ONLY_ECHO + f'[allow.wait]\ncommands = "cat {gate}"\n')
    agent = AgentProcess(tmp_path / "state")
    options = (f"--policy={file}", "--capacity=1")
    await agent.start(manager, *options)
    await manager.wait_for(lambda: manager.reports)
    running = manager.run(f"cat {gate}")
    await manager.wait_for(lambda: manager.stored(running).starts)
    waiting = manager.run("echo a")
    barrier = str(uuid.uuid4())
    manager.cancel(barrier)
    await manager.result(barrier)
    file.write_text('[allow.nothing]\ncommands = "true"\n')
    if anew:
        await agent.kill()
        await agent.start(manager, *options)
    gate.open()
    result = await manager.result(waiting)
    left = list(agent.state_dir.glob(f"managers/*/executions/{waiting}/*"))
    await agent.close()
    assert result.reason == wire.RESULT_REASON_REJECTED
    assert "(allow)" in result.detail
    assert {path.name for path in left} <= {"result"}


async def test_an_agent_does_not_start_with_a_policy_that_it_cannot_use(
    manager: FakeManager, file: Path, tmp_path: Path
) -> None:
    for text, words in (("[allow", "Expected"), (None, "There is no policy")):
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
        agent = AgentProcess(tmp_path / "state")
        await agent.start(manager, f"--policy={file}")
        status, errors = await agent.ended()
        assert status == 2
        assert errors.startswith("tui-manager-agent: ")
        assert str(file) in errors
        assert words in errors
        assert "Traceback" not in errors
    assert manager.hellos == []


# ------------------------------------------------------------------------------------ policy check


def check(*words: str) -> int:
    return main(["policy", "check", *words])


def test_the_owner_asks_without_running(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUI_MANAGER_AGENT_POLICY", str(file))
    assert check("--timeout", "5m", "--", "systemctl", "restart", "nginx") == 0
    assert capsys.readouterr().out == "allowed by restart\n"
    assert check("--timeout=5m", "--env", "APP_X=1", "--cwd=/srv/a", "--", "make all") == 0
    assert capsys.readouterr().out == "allowed by build\n"
    assert check("--", "systemctl", "restart", "--root=/x", "nginx") == 1
    said = capsys.readouterr().out
    assert said.startswith("refused by this host's policy (allow): ")
    assert said.endswith("Ask ana@example.com.\n")
    for limit, options in (
        ("max_timeout", []),
        ("users", ["--user=postgres"]),
        ("environment", ["--timeout=5m", "--env=PATH"]),
        ("folders", ["--timeout=5m", "--cwd=/tmp"]),
    ):
        assert check(*options, "--", "make all") == 1
        assert f"({limit})" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("regex", "command", "allowed"),
    [
        ("systemctl restart [^;|&]*", "systemctl restart nginx", True),
        ("systemctl restart [^;|&]*", "systemctl restart x\nrm -rf /", False),
        ("systemctl restart [^;|&]*", "systemctl restart x\rrm", False),
        ("systemctl restart [^;|&]*", "systemctl restart x\x85rm", False),
        (r"echo \w+\s\w+", "echo a\nb", False),
        ("(?s)echo .*", "echo a\nb", True),
        (r"echo [ab\n]*", "echo a\nb", True),
        (r"echo [ab\n]*", "echo a\tb", False),
        (r"echo [^\n ]+ [^;|&]*", "echo a b\nid", False),
        (r"echo [^\n ]+ [^;|&]*", "echo a b", True),
        (r"echo a\x0ab", "echo a\nb", True),
        (r"echo a\u000ab", "echo a\nb", True),
        ("echo a\nb", "echo a\nb", True),
    ],
)
def test_a_regex_lets_in_only_control_characters_it_names(
    regex: str, command: str, allowed: bool
) -> None:
    rule = Rule("x", regexes=(re.compile(regex),))
    assert rule.allows(command) == allowed


@pytest.mark.parametrize(
    ("regex", "warns"),
    [
        ("systemctl restart [^;|&]*", True),
        ("[^]a]", True),
        (r"[^;\n]*", False),
        (r"[^\s;]*", False),
        (r"echo\s+x", True),
        ("(?s)echo .*", False),
        ("echo .*", False),
        ("systemctl restart [a-z]+", False),
    ],
)
def test_a_check_warns_of_a_regex_that_matches_line_breaks(
    file: Path, capsys: pytest.CaptureFixture[str], regex: str, warns: bool
) -> None:
    file.write_text(f"[allow.x]\nregex = ['{regex}']\n")
    check(f"--policy={file}", "--", "x")
    assert ("[allow.x]: " + regex + " matches line breaks too" in capsys.readouterr().err) == warns


def test_the_owner_asks_of_a_policy_that_cannot_be_used(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.chmod(0o666)
    assert check(f"--policy={file}", "--", "make all") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "can be written by anybody" in said.err


def test_the_owner_asks_where_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = tmp_path / "policy.toml"
    monkeypatch.setattr("tui_manager_agent.policy.policy_file.default_path", lambda: absent)
    assert check("--", "rm -rf /") == 0
    assert capsys.readouterr().out == f"allowed: there is no policy {absent}\n"


@pytest.mark.parametrize("words", [[], ["--timeout=soon", "--", "true"], ["--policy"]])
def test_a_question_that_makes_no_sense(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        check(*words)
    assert stopped.value.code == 2
    assert "See `tui-manager-agent policy check --help`." in capsys.readouterr().err


def test_the_installed_program_answers(file: Path) -> None:
    program = Path(sys.executable).with_name("tui-manager-agent")
    words = ["policy", "check", f"--policy={file}", "--timeout=1m", "--", "make", "all"]
    done = subprocess.run([program, *words], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"allowed by build\n")
