"""Which hosts a command line names for ssh, and what the manager is to call them."""

import pytest

from tui_manager.agent_install.ssh.ssh_targets import read_targets
from tui_manager.domain.errors import InvalidInputError


def typed(*words: str, stdin: tuple[str, ...] = ()) -> list[str]:
    return [target.typed for target in read_targets(words, stdin)]


def names(*words: str) -> list[str]:
    return [target.name for target in read_targets(words, ())]


def test_ranges_and_lists_are_spelled_out_and_each_host_comes_once() -> None:
    assert typed("root@web[01-03],db1", "db1", "web01") == [
        "root@web01", "root@web02", "root@web03", "db1", "web01",
    ]  # fmt: skip
    assert typed("web[1,3],x[1-2],b") == ["web1", "web3", "x1", "x2", "b"]


def test_names_come_from_stdin_in_place_of_a_dash() -> None:
    lines = ("web1 web2\n", "# not these: web3\n", "\n", "root@db[1-2]  # two\n")
    assert typed("a", "-", stdin=lines) == ["a", "web1", "web2", "root@db1", "root@db2"]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("web1", "web1"),
        ("root@web1.example.org", "web1"),
        ("192.0.2.1", ""),
        ("root@2001:db8::1", ""),
        ("fe80::1%eth0", ""),
        ("_dmarc.example.org", ""),
        ("dev\\ana@web1", "web1"),
    ],
)
def test_a_host_is_called_by_the_first_part_of_its_name(word: str, name: str) -> None:
    assert names(word) == [name]


def test_hosts_that_would_have_the_same_name_keep_their_domain() -> None:
    assert names("web1.a.example", "web1.b.example", "db1.a.example") == [
        "web1.a.example", "web1.b.example", "db1",
    ]  # fmt: skip
    assert names("ana@web1", "root@web1") == ["web1", "web1"]  # one machine; the key shows it


@pytest.mark.parametrize(
    "word",
    [
        "-oProxyCommand=id",
        "root@-oProxyCommand=id",
        "--",
        "-x@web1",
        "we b1",
        "web1;id",
        "$(id)",
        "`id`@web1",
        "a'b@web1",
        "@web1",
        "root@",
        "ssh://web1",
        "web1/x",
        "web[1-3",
        "web\u0661",
        "w\n",
    ],
)
def test_what_ssh_or_a_shell_could_misread_is_refused(word: str) -> None:
    with pytest.raises(InvalidInputError):
        typed(word)


def test_no_host_and_too_many_hosts_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="No host is named"):
        typed("-", stdin=("# none\n",))
    with pytest.raises(InvalidInputError):
        typed("a[1-9999]", "b[1-9999]")
