"""What a policy says of files that are written and read."""

import os
from pathlib import Path

import pytest
from tui_manager_agent.cli.main import main
from tui_manager_agent.policy.file_rules import (
    FileAccess,
    PathPattern,
    TransferRequest,
    pattern_for,
    show_path,
)
from tui_manager_agent.policy.policy import RefusedError
from tui_manager_agent.policy.policy_file import PolicyError, PolicyFile, parse
from tui_manager_agent.supervisor import clock

from tests.agent.policies import ME, ONLY_ECHO, POLICY

READ, WRITE = FileAccess.READ, FileAccess.WRITE
FILES = """
max_timeout = "30m"
reason = "Ask ana@example.com."

[files]
read = ["/var/log/*", "/etc/hosts", "/home/*/public/"]
write = ["/srv/app/", "/etc/app/*.conf"]
"""
WITHIN = 60 * clock.SECOND


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/etc/hosts", "/etc/hosts"),
        ("/var/log/*", "/var/log/syslog"),
        ("/var/log/*", "/var/log/nginx/access.log.1"),
        ("/var/log/*", "/var/log/"),
        ("/var/log/*", "/var/log/nginx/"),
        ("/var/log/*.log", "/var/log/nginx/access.log"),
        ("/srv/**", "/srv/a file"),
        ("/srv/", "/srv/"),
        ("/srv/", "/srv/a file (1) [ünï]\n\udcff*.txt"),
        ("/srv/", "/srv/-x/@y"),
        ("/", "/etc/shadow"),
        ("/home/*/public/", "/home/ana/public/ü"),
        ("/home/*/public/", "/home/ana/public/"),
    ],
)
def test_what_a_pattern_allows(pattern: str, path: str) -> None:
    assert PathPattern(pattern).matches(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/etc/hosts", "/etc/hosts.deny"),
        ("/etc/hosts", "/etc/host"),
        ("/etc/hosts", "/etc/hosts/"),
        ("/var/log/*", "/var/log"),
        ("/var/log/*", "/var/logs/x"),
        ("/var/log/*", "/var/log/a b"),
        ("/var/log/*", "/var/log/ü"),
        ("/var/log/*.log", "/var/log/"),
        ("/srv/", "/srv"),
        ("/srv/", "/srvx/a"),
        ("/srv/", "/x/srv/a"),
        ("/home/*/public/", "/home/ana/publicity"),
        ("/home/*/public/", "/home/ana/private"),
        ("/home/*/public/", "/home/ü/public/x"),
    ],
)
def test_what_a_pattern_does_not_allow(pattern: str, path: str) -> None:
    assert not PathPattern(pattern).matches(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[files]\n", "[files] must hold lists of paths"),
        ("files = 3\n", "[files] must hold lists of paths"),
        ('[files]\nreads = ["/x"]\n', "There is no 'reads' in [files]; there are read, write."),
        ("[files]\nread = [1]\n", "read of [files] must be a list of texts, none of them empty."),
        ('[files]\nread = ""\n', "none of them empty"),
        ('[files]\nread = ["var/log"]\n', "'var/log' does not begin with /"),
        ('[files]\nread = ["*"]\n', "'*' does not begin with /"),
        ('[files]\nwrite = ["/a/../b"]\n', "'/a/../b' has an empty part, '.' or '..'"),
        ('[files]\nwrite = ["//a"]\n', "'//a' has an empty part"),
        ('[files]\nwrite = ["/a/./"]\n', "'/a/./' has an empty part"),
        ('reason = "x"\n', "It allows no command"),
    ],
)
def test_a_mistake_is_named(text: str, words: str) -> None:
    with pytest.raises(PolicyError) as raised:
        parse(text)
    assert words in str(raised.value)


def test_a_policy_may_allow_files_alone() -> None:
    policy = parse('[files]\nread = "/x"\n')
    assert policy.judge_path("/x", READ).rule == "files.read"
    assert policy.judge_path("/x", WRITE).refusal
    assert not policy.judge_transfer(TransferRequest(access=READ), ME).refusal


@pytest.mark.parametrize(
    ("path", "access"),
    [
        ("/var/log/syslog", READ),
        ("/home/ana/public/a b", READ),
        ("/srv/app/", WRITE),
        ("/srv/app/x", WRITE),
        ("/etc/app/a.conf", WRITE),
    ],
)
def test_what_the_policy_names_is_allowed(path: str, access: FileAccess) -> None:
    verdict = parse(FILES).judge_path(path, access)
    assert (verdict.rule, verdict.refusal) == (f"files.{access}", "")


@pytest.mark.parametrize(
    ("path", "access", "problem"),
    [
        (
            "/etc/shadow",
            READ,
            '/etc/shadow may not be read. To allow it: [files] read = ["/etc/shadow"]',
        ),
        ("/srv/app/x", READ, "/srv/app/x may not be read"),
        (
            "/var/log/x",
            WRITE,
            '/var/log/x may not be written. To allow it: [files] write = ["/var/log/x"]',
        ),
        ("/etc/app/", WRITE, '/etc/app/ may not be written. To allow it: [files] write = ["/etc/'),
        (
            "/data/a\nb",
            READ,
            '/data/a\\nb may not be read. To allow it: [files] read = ["/data/"]',
        ),
    ],
)
def test_a_refusal_of_a_path_says_what_to_add(path: str, access: FileAccess, problem: str) -> None:
    refusal = parse(FILES).judge_path(path, access).refusal
    assert refusal.startswith(f"refused by this host's policy (files): {problem}")
    assert refusal.endswith(": Ask ana@example.com.")


def test_a_policy_without_files_refuses_every_transfer() -> None:
    for text in (ONLY_ECHO, POLICY):
        for access, done in ((READ, "read"), (WRITE, "written")):
            refusal = parse(text).judge_transfer(TransferRequest(access=access), ME).refusal
            assert refusal.startswith(
                f"refused by this host's policy (files): no file may be {done}. "
                f'To allow some: [files] {access} = ["/PATH"]'
            )
            assert "(files)" in parse(text).judge_path("/x", access).refusal


@pytest.mark.parametrize(
    ("request_", "limit", "problem"),
    [
        (TransferRequest(access=READ), "max_timeout", "at most 30m, not 1h"),
        (
            TransferRequest(access=WRITE, timeout=WITHIN, owner="root2:adm"),
            "users",
            "files may not be given to root2",
        ),
        (
            TransferRequest(access=WRITE, timeout=WITHIN, mode=0o4755),
            "files",
            "files with mode 4755 may not be written",
        ),
    ],
)
def test_the_limits_hold_for_files(request_: TransferRequest, limit: str, problem: str) -> None:
    refusal = parse(FILES).judge_transfer(request_, ME).refusal
    assert refusal.startswith(f"refused by this host's policy ({limit}): {problem}")


def test_within_its_limits_a_transfer_is_allowed() -> None:
    policy = parse(FILES)
    for asked in (
        TransferRequest(access=READ, timeout=WITHIN),
        TransferRequest(access=WRITE, timeout=WITHIN, owner=f"{ME}:adm", mode=0o750),
    ):
        assert policy.judge_transfer(asked, ME).rule == f"files.{asked.access}"


def test_a_file_with_the_rights_of_its_owner_is_refused() -> None:
    policy = parse(FILES)
    for mode in (0o4755, 0o2755):
        refusal = policy.judge_path("/srv/app/x", WRITE, mode=mode).refusal
        assert f"/srv/app/x with mode {mode:04o} may not be written" in refusal
    assert not policy.judge_path("/srv/app/x", WRITE, mode=0o1755).refusal
    assert not policy.judge_path("/srv/app/x/", WRITE, mode=0o2775).refusal


def test_paths_are_shown_so_that_they_stay_in_their_sentence() -> None:
    assert show_path("/a b/ü") == "/a b/ü"
    assert show_path(b"/a\xff\n\x1b[0m") == "/a\\xff\\n\\x1b[0m"
    long = show_path("/" + "x" * 4000)
    assert len(long) == 301
    assert "…" in long


@pytest.mark.parametrize(
    "path", ["/a/b", "/a/b*c", '/a/"', "/a/b\\", "/a/\udcff", "/a/\n/b", "/a/" + "x" * 500, "/*"]
)
def test_the_pattern_that_a_refusal_suggests_allows_the_path(path: str) -> None:
    pattern = pattern_for(path)
    policy = parse(f'[files]\nread = ["{pattern}"]\n')
    assert not policy.judge_path(path, READ).refusal


@pytest.mark.parametrize("number", ["", "-2"])
def test_a_refusal_of_a_backup_suggests_a_pattern_for_the_next_ones(number: str) -> None:
    path = "/etc/app.conf.backup-20261128T010738Z"
    refusal = parse(FILES).judge_path(f"{path}{number}", WRITE).refusal
    assert 'To allow it: [files] write = ["/etc/app.conf.backup-*"]' in refusal
    policy = parse('[files]\nwrite = ["/etc/app.conf.backup-*"]\n')
    assert not policy.judge_path(f"{path}{number}", WRITE).refusal
    assert pattern_for(path.replace("app", "ä*")) == "/etc/"


# -------------------------------------------------------------------------------------- the file


def test_the_file_is_asked_as_it_is_now(policy_file: Path) -> None:
    policy_file.write_text('[files]\nread = ["/srv/*"]\nwrite = ["/srv/app/*"]\n')
    rules = PolicyFile(policy_file)
    rules.require_read(b"/srv/x")
    rules.require_read(b"/srv", is_folder=True)
    rules.require_write(b"/srv/app/x", mode=0o755)
    rules.require_write(b"/srv/app", is_folder=True)
    for refused in (b"/etc/x", b"/srv", b"/srv/\xff"):
        with pytest.raises(RefusedError):
            rules.require_read(refused)
    policy_file.write_text('[files]\nread = ["/etc/*"]\n')
    rules.require_read(b"/etc/x")
    with pytest.raises(RefusedError) as raised:
        rules.require_read(b"/srv/x")
    assert raised.value.reason == "rejected"
    with pytest.raises(RefusedError):
        rules.require_write(b"/srv/app/x")
    policy_file.write_text("[files\n")
    with pytest.raises(RefusedError, match="policy \\(file\\)"):
        rules.require_read(b"/etc/x")


def test_without_a_file_everything_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_manager_agent.policy.policy_file.default_path", lambda: tmp_path / "x")
    rules = PolicyFile(None)
    rules.require_read(b"/etc/shadow")
    rules.require_write(b"/etc/shadow", mode=0o4755)
    rules.require_allowed(TransferRequest(access=WRITE, owner="root2", mode=0o4755))


# ---------------------------------------------------------------------------------- policy check


def check(*words: str) -> int:
    return main(["policy", "check", *words])


def test_the_owner_asks_of_files(
    tmp_path: Path, policy_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "srv"
    folder.mkdir()
    (folder / "x").touch()
    (tmp_path / "link").symlink_to(folder)
    policy_file.write_text(
        f'max_timeout = "30m"\n[files]\nread = ["{folder}/*"]\nwrite = ["{folder}/x"]\n'
    )
    options = (f"--policy={policy_file}", "--timeout=5m")
    assert check(*options, f"--read={tmp_path}/link/x", f"--read={tmp_path}/link") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"allowed by files.read: {folder}/x", f"allowed by files.read: {folder}/"]
    assert check(*options, f"--write={folder}/x", "--mode=0644") == 0
    assert capsys.readouterr().out == f"allowed by files.write: {folder}/x\n"
    assert check(*options, f"--write={folder}/x", f"--write={folder}/y") == 1
    out = capsys.readouterr().out
    assert f"allowed by files.write: {folder}/x\n" in out
    assert f'(files): {folder}/y may not be written. To allow it: [files] write = ["' in out
    for wrong, limit in (("--mode=4755", "files"), ("--owner=x:y", "users")):
        assert check(*options, f"--write={folder}/x", wrong) == 1
        assert f"({limit})" in capsys.readouterr().out
    several = (f"--write={folder}/x", f"--write={folder}/y", "--owner=x:y")
    assert check(*options, *several) == 1
    assert capsys.readouterr().out.count("files may not be given to x") == 1
    assert check(f"--policy={policy_file}", f"--read={folder}/x") == 1
    assert "(max_timeout)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--read", "x"), "'x' does not begin with '/'"),
        (("--read", "/x", "--", "id"), "leave out the command"),
        (("--write", "/x", "--script", "y"), "leave out the command"),
        (("--write", "/x", "--mode", "888"), "'888' is not a mode"),
        ((), "or which files with --read PATH or --write PATH"),
    ],
)
def test_wrong_usage_is_named(
    words: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        check(*words)
    assert raised.value.code == 2
    assert problem in capsys.readouterr().err


def test_the_log_names_what_it_allows(policy_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    policy_file.write_text('[files]\nread = ["/x"]\n' + ONLY_ECHO)
    with caplog.at_level("INFO"):
        PolicyFile(policy_file).read()
    assert "rules=echo,files.read" in caplog.text
    assert os.fspath(policy_file) in caplog.text
