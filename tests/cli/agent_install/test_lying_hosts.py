"""Whatever a host answers, the install on other hosts goes on."""

import json

import pytest
from tui_manager_agent.identity.keys import key_hash, public_key, sign
from tui_manager_protos.rules.identity_proof import signed_bytes

from tests.agent.authority import new_key
from tests.cli.agent_install.ssh_hosts import (
    Installing,
    InstallOperator,
    SshHost,
    SshHosts,
    Uninstalling,
)
from tui_manager.agent_install import install
from tui_manager.agent_install.probe import Probe, read_probe
from tui_manager.agent_install.ssh import host_session

PROBED = (
    "a system=linux; a arch=$(uname -m); a 'libc=glibc 2.36'; a user=root; a host=h; a root=/x; "
    "a service=loop; a active=no; a free=99999999"
)
# The key of another host, with a signature of another challenge.
OTHERS_KEY = new_key()
OTHERS = json.dumps(
    {
        "key_sha256": key_hash(OTHERS_KEY).hex(),
        "manager_id": "",
        "host_id": "",
        "certificate_ends": "",
        "public_key": public_key(OTHERS_KEY).hex(),
        "signature": sign(OTHERS_KEY, signed_bytes(b"another challenge")).hex(),
    }
)
IDENTITY = '{"key_sha256":"%s","manager_id":"","host_id":"","certificate_ends":"%s"}'


def lie(host: SshHost, probe: str, identity: str = IDENTITY % ("a" * 64, "")) -> None:
    """The host's login shell answers by itself."""
    host.program(
        "liar",
        f"""IFS= read -r n
a() {{ printf '%s %s\\n' "$n" "$1"; }}
a ready=yes
while IFS= read -r line; do
    case $line in
    do=probe) {probe}; a done=yes ;;
    do=has) a has=yes; a done=yes ;;
    do=identity) a 'identity={identity}'; a done=yes ;;
    do=*) a done=yes ;;
    esac
done""",
    )
    host.write(shell="liar")


@pytest.mark.parametrize(
    ("probe", "identity", "words"),
    [
        ("a 'error={x}'; a detail=d; a done=no", "", "It could not do what it was asked ('{x}')."),
        (f"{PROBED}; a free=$(printf %05000d 1)", "{", "Its agent gives no identity: '{'."),
        (f"{PROBED}; a \"setting=A=b$(printf '\\r\\033')c\"", "", "Its agent gives no identity"),
        (PROBED, IDENTITY % ("a" * 64, "2999-01-01"), "Its agent gives no identity"),
        (PROBED, IDENTITY % ("A", ""), "Its agent gives no identity"),
        (PROBED, OTHERS, "It names a key, and cannot prove that it has it."),
        (PROBED, OTHERS.replace('"public_key": "', '"public_key": "00'), "cannot prove"),
        (PROBED, "[" * 3000, "Its agent gives no identity"),
        (f"{PROBED}; a 'problem={{}} /'", "", "/ cannot be used."),
        ('yes "$(printf %01000d 1)"', "", "Its login shell prints too much."),
    ],
)  # fmt: skip
def test_a_host_that_lies_fails_alone(
    probe: str,
    identity: str,
    words: str,
    hosts: SshHosts,
    run: Installing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(install, "ONLINE_WITHIN", 0.5)
    hosts.add("web1")
    lie(hosts.add("web2"), probe, *((identity,) if identity else ()))
    good, bad = run("web[1-2]", exits=1)
    assert (good["status"], bad["status"]) == ("installed", "failed")
    assert words in bad["detail"]


def test_an_error_of_this_program_fails_one_host_alone(
    hosts: SshHosts, run: Installing, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.add("web1"), hosts.add("web2")

    def wrong(answer: host_session.Answer, challenge: str) -> Probe:
        probe = read_probe(answer, challenge)
        if "web2" in probe.root:
            raise RuntimeError("not foreseen")
        return probe

    monkeypatch.setattr(install, "read_probe", wrong)
    good, bad = run("web[1-2]", exits=1)
    assert (good["status"], bad["status"]) == ("installed", "failed")
    assert "RuntimeError: not foreseen. Here nothing was changed there." in bad["detail"]


def test_no_host_takes_another_one_out_of_the_fleet(
    hosts: SshHosts, operator: InstallOperator, run: Installing, remove: Uninstalling
) -> None:
    web1, web2 = hosts.add("web1"), hosts.add("web2")
    run("web1")
    host_id = web1.ids()["host_id"]
    lie(web2, f"{PROBED}; a 'identity={OTHERS}'")
    (row,) = remove("web2", exits=1)
    assert row["detail"] == "It names a key, and cannot prove that it has it."
    lie(web2, f"{PROBED}; a manager_id=manager-1; a host_id={host_id}")
    (row,) = remove("web2")
    assert (row["status"], row["host_id"]) == ("unchanged", "")
    assert list(operator.hosts) == ["web1"]
