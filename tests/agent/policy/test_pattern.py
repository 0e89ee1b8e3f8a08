"""Which commands a pattern of a policy allows, and what no text can stretch it to."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tui_manager_agent.policy.pattern import Pattern

from tests.support.run_length import examples


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("uptime", "uptime"),
        ("df -h", "df -h"),
        ("systemctl restart *", "systemctl restart nginx"),
        ("systemctl restart *", "systemctl restart user@1000.service"),
        ("systemctl restart *", "systemctl restart "),
        ("systemctl restart web-*", "systemctl restart web-01"),
        ("systemctl * nginx", "systemctl reload nginx"),
        ("apt-get install **", "apt-get install jq ripgrep=14.1.0-1 libc6:amd64"),
        ("du -sh /srv/*", "du -sh /srv/a/b.tar.gz"),
        ("*", "uptime"),
        ("echo 'a;b' > /tmp/x", "echo 'a;b' > /tmp/x"),
        ('grep "*" /var/log/syslog', 'grep "out-of-memory" /var/log/syslog'),
        ("a*b*c", "abbcbc"),
    ],
)
def test_what_a_pattern_allows(pattern: str, text: str) -> None:
    assert Pattern(pattern).matches(text)


@pytest.mark.parametrize(
    "stretched",
    [
        "x; rm -rf /", "x;rm", "x & rm", "x && rm", "x | sh", "x || rm", "x\nrm -rf /", "x\rrm",
        "x\trm", "$(rm)", "`rm`", "x > /etc/passwd", "x < /etc/shadow", "${IFS}", "$HOME", "~root",
        "'x'", '"x"', "x\\", "(x)", "{a,b}", "x*", "x?", "[x]", "!x", "#x", "x^y", "x y",
        "--host=evil", "-H", "+cmd", "@file", "%job", "nginx +cmd", "../x", "x/../../y", "..",
        "x\0", "ünit", "x\u00a0y", "x\u2028y",
    ],
)  # fmt: skip
def test_what_a_star_cannot_be_stretched_to(stretched: str) -> None:
    assert not Pattern("systemctl restart *").matches(f"systemctl restart {stretched}")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("uptime", "uptime; id"),
        ("uptime", " uptime"),
        ("uptime", ""),
        ("apt-get install **", "apt-get install jq; id"),
        ("apt-get install **", "apt-get install jq -o=x"),
        ("apt-get install **", "apt-get install  -o"),
        ("apt-get install **", "apt-get install jq\nid"),
        ("cat /var/log/*", "cat /var/log/x /etc/shadow"),
        ("cat /var/log/.*", "cat /var/log/../x"),
        ("cat /var/*./x", "cat /var/../x"),
        ("*", "-c"),
        ('grep "*" /var/log/syslog', 'grep "-f/etc/shadow" /var/log/syslog'),
        ("grep '*' /var/log/syslog", "grep '-f/etc/shadow' /var/log/syslog"),
        ("grep '**' /var/log/syslog", "grep '--file=/etc/shadow' /var/log/syslog"),
        ("tail \\*", "tail \\-f"),
        ("a*b*c", "abcb"),
        ("vim *", "vim +q!"),
        ("java **", "java -version @file"),
        ("java **", "java @file"),
        ("kill *", "kill %1"),
    ],
)
def test_what_a_pattern_does_not_allow(pattern: str, text: str) -> None:
    assert not Pattern(pattern).matches(text)


def test_a_long_text_takes_no_longer_than_its_length() -> None:
    """By backtracking this would take for ever."""
    assert not Pattern("*a" * 12 + "!").matches("a" * 20_000)


@pytest.mark.skipif(not shutil.which("sh"), reason="asks the shell itself")
@given(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12))
@settings(max_examples=examples(60, few=20))
def test_what_a_star_allows_is_one_word_to_the_shell(text: str) -> None:
    """Whatever matches reaches the program as it is written: the shell makes nothing of it."""
    if Pattern("echo x*").matches(f"echo x{text}"):
        script = f"printf '<%s>' x{text}"
        said = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout
        assert said.decode() == f"<x{text}>"
