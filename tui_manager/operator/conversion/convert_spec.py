"""TaskSpec and CommandSpec between the wire and the domain."""

from collections.abc import Mapping
from datetime import timedelta

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.resource_limits import ResourceLimits
from tui_manager.domain.task_spec import (
    DELIVERY_TIMEOUT,
    TIMEOUT_DEFAULT,
    CommandSpec,
    Offline,
    TaskSpec,
)
from tui_manager.operator.conversion.convert_manager import duration, length, word
from tui_manager.operator.conversion.convert_rollout import rollout_from_wire, rollout_to_wire

OFFLINE_POLICIES = {
    Offline.FAIL: wire.OFFLINE_POLICY_FAIL,
    Offline.WAIT: wire.OFFLINE_POLICY_WAIT,
}

# Fields of the wire that the domain does not have yet. A request with one is refused.
_COMMAND_LATER = ("priority",)


def spec_to_wire(spec: TaskSpec) -> wire.TaskSpec:
    return wire.TaskSpec(
        target=spec.target,
        commands=[command_spec_to_wire(command) for command in spec.commands],
        name=spec.name,
        description=spec.description,
        created_by=spec.created_by,
        offline=OFFLINE_POLICIES[spec.offline],
        delivery_timeout=duration(spec.delivery_timeout),
        rollout=rollout_to_wire(spec.rollout),
        include_maintenance=spec.include_maintenance,
    )


def spec_from_wire(message: wire.TaskSpec) -> TaskSpec:
    """Raises InvalidInputError for what this manager cannot do yet."""
    for command in message.commands:
        _refuse(command, _COMMAND_LATER)
    return TaskSpec(
        target=message.target,
        commands=tuple(command_spec_from_wire(command) for command in message.commands),
        name=message.name,
        description=message.description,
        created_by=message.created_by,
        offline=offline_from_wire(message.offline),
        delivery_timeout=delivery_timeout_from_wire(message),
        rollout=rollout_from_wire(message),
        include_maintenance=message.include_maintenance,
    )


def offline_from_wire(policy: wire.OfflinePolicy.ValueType) -> Offline:
    if policy == wire.OFFLINE_POLICY_UNSPECIFIED:
        return Offline.FAIL
    return word(OFFLINE_POLICIES, policy)


def delivery_timeout_from_wire(message: wire.TaskSpec | wire.Task) -> timedelta:
    if message.HasField("delivery_timeout"):
        return length(message.delivery_timeout, "delivery_timeout")
    return DELIVERY_TIMEOUT


def _refuse(message: wire.CommandSpec, later: tuple[str, ...]) -> None:
    for field, _ in message.ListFields():
        if field.name in later:
            raise InvalidInputError(field.name, f"This manager cannot do {field.name} yet.")


def command_spec_to_wire(spec: CommandSpec) -> wire.CommandSpec:
    return wire.CommandSpec(
        text=spec.text,
        timeout=duration(spec.timeout),
        parameters=spec.parameters,
        environment=spec.environment,
        cwd=spec.cwd,
        run_as_user=spec.run_as_user,
        secrets={name: value.encode() for name, value in spec.secrets.items()},
        memory_max=spec.limits.memory_max,
        tasks_max=spec.limits.tasks_max,
        cpu_max=spec.limits.cpu_max,
    )


def command_spec_from_wire(message: wire.CommandSpec) -> CommandSpec:
    has_timeout = message.HasField("timeout")
    return CommandSpec(
        text=message.text,
        timeout=length(message.timeout, "timeout") if has_timeout else TIMEOUT_DEFAULT,
        parameters=dict(message.parameters),
        environment=dict(message.environment),
        cwd=message.cwd,
        run_as_user=message.run_as_user,
        limits=ResourceLimits(message.memory_max, message.tasks_max, message.cpu_max),
        secrets=secrets_from_wire(message.secrets),
    )


def secrets_from_wire(secrets: Mapping[str, bytes]) -> dict[str, str]:
    """Secrets by name. Raises InvalidInputError for one that is not UTF-8."""
    return {name: _secret(name, value) for name, value in secrets.items()}


def _secret(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidInputError("secret", f"The secret {name} is not UTF-8.") from None
