"""What the rules and limits of a policy allow, and how a refusal is worded."""

import re
from pathlib import Path

import pytest
from tui_manager_agent.journal.order_and_result import Order
from tui_manager_agent.policy.policy import CommandRequest, RefusedError, Rule
from tui_manager_agent.policy.policy_file import PolicyError, PolicyFile, parse
from tui_manager_agent.supervisor import clock, record

from tests.agent.orders import order
from tests.agent.policies import ME, ONLY_ECHO, POLICY, refusal, to_run


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        (to_run(), "restart"),
        (to_run("systemctl status nginx\n"), "restart"),
        (to_run("make all"), "build"),
        (to_run(user="deploy"), "restart"),
        (to_run(timeout=1800 * clock.SECOND), "restart"),
        (to_run(variables=("APP_ENV", "VERSION")), "restart"),
        (to_run(folder="/srv/app"), "restart"),
    ],
)
def test_what_a_rule_names_and_the_limits_hold_is_allowed(asked: CommandRequest, rule: str) -> None:
    verdict = parse(POLICY).judge(asked, ME)
    assert (verdict.rule, verdict.refusal) == (rule, "")


@pytest.mark.parametrize(
    ("asked", "limit", "problem"),
    [
        (to_run("rm -rf /"), "allow", "no rule allows this command"),
        (to_run("systemctl restart x; rm -rf /"), "allow", "no rule allows this command"),
        (to_run("make all; id"), "allow", "no rule allows this command"),
        (to_run("make all\nid"), "allow", "no rule allows this command"),
        (to_run(user="postgres"), "users", "commands may not run as postgres"),
        (
            to_run(timeout=3600 * clock.SECOND),
            "max_timeout",
            "at most 30m, not 1h; ask for less with --timeout",
        ),
        (
            to_run(kill_grace=3601 * clock.SECOND),
            "max_timeout",
            "a kill grace of at most 1h",
        ),
        (to_run(variables=("LD_PRELOAD",)), "environment", "LD_PRELOAD may not be set"),
        (to_run(folder="/tmp"), "folders", "not in /tmp"),
        (to_run(folder="/srv/../tmp"), "folders", "not in /srv/../tmp"),
    ],
)
def test_a_refusal_names_the_limit_and_has_the_owners_words(
    asked: CommandRequest, limit: str, problem: str
) -> None:
    said = refusal(POLICY, asked)
    assert said == f"refused by this host's policy ({limit}): {problem}: Ask ana@example.com."


def test_what_a_policy_does_not_name_it_does_not_allow() -> None:
    """A variable such as PATH, or a folder, would change what an allowed command does."""
    assert not refusal(ONLY_ECHO, to_run("echo a", timeout=7 * 86400 * clock.SECOND))
    assert "(users)" in refusal(ONLY_ECHO, to_run("echo a", user="another"))
    assert "(environment)" in refusal(ONLY_ECHO, to_run("echo a", variables=("PATH",)))
    assert "(folders)" in refusal(ONLY_ECHO, to_run("echo a", folder="/tmp"))


def test_the_agents_own_user_can_be_left_out() -> None:
    text = 'users = ["deploy"]\n' + ONLY_ECHO
    assert "(users)" in refusal(text, to_run("echo a"))
    assert not refusal(text, to_run("echo a", user="deploy"))


def test_every_variable_means_every_name_of_a_variable() -> None:
    """A shell takes a function from a variable called BASH_FUNC_echo%%."""
    text = 'environment = ["*"]\n' + ONLY_ECHO
    assert not refusal(text, to_run("echo a", variables=("PATH", "lower_case")))
    for name in ("BASH_FUNC_echo%%", "A-B", "A B", "1A", "A\n"):
        assert "(environment)" in refusal(text, to_run("echo a", variables=(name,)))


def test_an_order_of_an_older_agent_is_refused_by_a_policy_and_by_nothing_else(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = record.decode(order(command="systemctl restart nginx").encode())
    for unknown in ("user", "folder", "variables"):
        del entries[unknown]
    asked = Order.decode(entries).request
    with pytest.raises(RefusedError, match="users"):
        PolicyFile(policy_file).require_allowed(asked)
    monkeypatch.setattr(
        "tui_manager_agent.policy.policy_file.default_path", lambda: policy_file / "absent"
    )
    with pytest.raises(RefusedError, match="file"):
        PolicyFile(None).require_allowed(asked)
    policy_file.unlink()
    monkeypatch.setattr("tui_manager_agent.policy.policy_file.default_path", lambda: policy_file)
    PolicyFile(None).require_allowed(asked)


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
    verdict = parse(f'max_timeout = "5m"\n{ONLY_ECHO}').judge(to_run("echo a", timeout=longest), ME)
    assert verdict.refusal.startswith("refused by this host's policy (max_timeout): at most 5m, ")


def test_half_a_file_allows_no_more_than_the_whole() -> None:
    """An editor may have written only so much of it when the agent looks."""
    asked = [
        to_run(),
        to_run("make all"),
        to_run("make all; id"),
        to_run(user="postgres"),
        to_run(timeout=3600 * clock.SECOND),
        to_run(variables=("PATH",)),
        to_run(folder="/tmp"),
    ]
    whole = parse(POLICY)
    for end in range(len(POLICY)):
        try:
            half = parse(POLICY[:end])
        except PolicyError:
            continue
        for one in asked:
            assert not whole.judge(one, ME).refusal or half.judge(one, ME).refusal, POLICY[:end]


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
