"""Whether a policy allows updates of the agent, and by whose signature."""

from pathlib import Path

import pytest
from tui_manager_agent.policy.policy import RefusedError, UpdateRequest
from tui_manager_agent.policy.policy_file import PolicyError, PolicyFile, parse

from tests.agent.policies import ME, ONLY_ECHO, to_run
from tests.support.programs.bundles import new_key, public

KEY = public(new_key())
UPDATE = f'[update]\nkeys = ["{KEY}"]\n'


def written(path: Path, text: str) -> PolicyFile:
    path.write_text(text)
    path.chmod(0o600)
    return PolicyFile(path)


def test_a_policy_without_keys_allows_no_update(policy_file: Path) -> None:
    policy = written(policy_file, f'reason = "Ask ana."\n{ONLY_ECHO}')
    with pytest.raises(RefusedError) as refused:
        policy.require_allowed(UpdateRequest("0.3.0"))
    assert refused.value.reason == "rejected"
    assert str(refused.value) == (
        "refused by this host's policy (update): no update is allowed. To allow some: [update] "
        'keys = ["ed25519:…"]: Ask ana.'
    )
    with pytest.raises(RefusedError):
        policy.update_keys(UpdateRequest("0.3.0"))


def test_a_policy_with_keys_alone_allows_updates_and_nothing_else(policy_file: Path) -> None:
    policy = written(policy_file, UPDATE)
    policy.require_allowed(UpdateRequest("0.3.0"))
    assert policy.update_keys(UpdateRequest("0.3.0")) == (KEY,)
    assert parse(UPDATE).judge(to_run("true"), ME).refusal.endswith("no rule allows this command")


def test_without_a_policy_the_keys_are_those_of_the_installation(tmp_path: Path) -> None:
    policy = PolicyFile(None)
    policy.path = tmp_path / "policy.toml"
    policy.require_allowed(UpdateRequest("0.3.0"))
    assert policy.update_keys(UpdateRequest("0.3.0")) is None


def test_a_limit_on_the_time_of_commands_is_none_for_updates(policy_file: Path) -> None:
    written(policy_file, f'max_timeout = "1s"\n{UPDATE}').require_allowed(UpdateRequest("0.3.0"))


def test_the_refusal_of_a_bundle_has_the_words_of_the_owner(policy_file: Path) -> None:
    policy = written(policy_file, f'reason = "Ask ana."\n{UPDATE}')
    error = policy.refuse_bundle("The bundle is signed by ed25519:x, which is not trusted here.")
    assert error.reason == "rejected"
    assert str(error) == (
        "refused by this host's policy (update): The bundle is signed by ed25519:x, which is not "
        "trusted here. To allow it, add the key to [update]: Ask ana."
    )


@pytest.mark.parametrize(
    ("version", "is_allowed"),
    [("0.3.0", True), ("0.3", True), ("0.10.0", True), ("0.2.9", False), ("0.3.0rc1", False)],
)
def test_an_update_to_an_older_version_may_be_refused(
    policy_file: Path, version: str, is_allowed: bool
) -> None:
    policy = written(policy_file, f'{UPDATE}at_least = "0.3.0"\n')
    if is_allowed:
        policy.require_allowed(UpdateRequest(version))
        return
    for ask in (policy.require_allowed, policy.update_keys):
        with pytest.raises(RefusedError) as refused:
            ask(UpdateRequest(version))
        assert str(refused.value) == (
            f"refused by this host's policy (update): {version} is older than at_least, 0.3.0"
        )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[update]\n", '[update] must hold public keys: keys = ["ed25519:…"]'),
        ("[update]\nkeys = []\n", "[update] must hold public keys"),
        ("update = true\n", "[update] must hold public keys"),
        (f'[update]\nkeys = ["{KEY}x"]\n', "keys of [update]: 'ed25519:"),
        ('[update]\nkeys = ["ssh-ed25519 AAAA"]\n', "is no public key"),
        (f'{UPDATE}at_least = ""\n', "at_least of [update] must be a version"),
        (f"{UPDATE}at_least = 1\n", "at_least of [update] must be a version"),
        (f'{UPDATE}at_least = "new"\n', "not 'new'"),
        (f"{UPDATE}from = 1\n", "There is no 'from' in [update]"),
        ("[update]\nkeys = [1]\n", "keys of [update] must be a list of texts"),
    ],
)
def test_mistakes(text: str, words: str) -> None:
    with pytest.raises(PolicyError) as error:
        parse(text)
    assert words in str(error.value)
