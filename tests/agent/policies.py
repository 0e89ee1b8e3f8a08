"""A policy, and commands to ask it about."""

from tui_manager_agent.policy import users
from tui_manager_agent.policy.policy import CommandRequest
from tui_manager_agent.policy.policy_file import parse
from tui_manager_agent.supervisor import clock

ME = users.own().name
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


def to_run(command: str = "systemctl restart nginx", **given: object) -> CommandRequest:
    values = {"user": ME, "timeout": 60 * clock.SECOND, **given}
    return CommandRequest(command=command, **values)  # type: ignore[arg-type]


def refusal(text: str, asked: CommandRequest) -> str:
    return parse(text).judge(asked, ME).refusal
