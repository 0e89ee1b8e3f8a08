"""`tui-manager-agent policy check`: what the policy would say of a command, without running it."""

import sys

from tui_manager_agent.cli.policy_options import Question
from tui_manager_agent.policy import account
from tui_manager_agent.policy.policy import Wanted
from tui_manager_agent.policy.policy_file import PolicyError, PolicyFile

ALLOWED, REFUSED, UNUSABLE = 0, 1, 2


def answer(question: Question) -> int:
    """Says it in a line on stdout, with warnings about the file on stderr.

    Returns the exit status.
    """
    file = PolicyFile(question.policy)
    try:
        there = file.read()
    except PolicyError as error:
        sys.stderr.write(f"the agent would refuse everything: {error}\n")
        return UNUSABLE
    if not there:
        sys.stdout.write(f"allowed: there is no policy {file.path}\n")
        return ALLOWED
    for warning in file.warnings():
        sys.stderr.write(f"{warning}\n")
    verdict = file.judge(
        Wanted(
            command=question.command,
            user=question.user or account.own().name,
            folder=question.folder,
            variables=question.variables,
            timeout=question.timeout,
        )
    )
    sys.stdout.write(f"{verdict.refusal or f'allowed by {verdict.rule}'}\n")
    return REFUSED if verdict.refusal else ALLOWED
