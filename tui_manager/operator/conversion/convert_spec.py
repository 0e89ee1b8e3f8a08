"""TaskSpec and CommandSpec between the wire and the domain."""

from collections.abc import Mapping
from datetime import timedelta

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.task_spec.resource_limits import ResourceLimits
from tui_manager.domain.task_spec.script_and_stdin import Content, content_of
from tui_manager.domain.task_spec.task_parameters import Parameter, ParameterType
from tui_manager.domain.task_spec.task_spec import (
    DELIVERY_TIMEOUT,
    OFFLINE_DEFAULT,
    TIMEOUT_DEFAULT,
    CommandSpec,
    Offline,
    OnFailure,
    TaskSpec,
)
from tui_manager.domain.task_spec.template_version import TemplateVersion
from tui_manager.operator.conversion import convert_files
from tui_manager.operator.conversion.convert_rollout import rollout_from_wire, rollout_to_wire
from tui_manager.operator.conversion.convert_values import duration, length, word

OFFLINE_POLICIES = {
    Offline.FAIL: wire.OFFLINE_POLICY_FAIL,
    Offline.WAIT: wire.OFFLINE_POLICY_WAIT,
}

ON_FAILURE = {
    OnFailure.STOP: wire.ON_FAILURE_STOP,
    OnFailure.CONTINUE: wire.ON_FAILURE_CONTINUE,
}

PARAMETER_TYPES = {
    ParameterType.TEXT: wire.PARAMETER_TYPE_TEXT,
    ParameterType.INTEGER: wire.PARAMETER_TYPE_INTEGER,
    ParameterType.NUMBER: wire.PARAMETER_TYPE_NUMBER,
    ParameterType.BOOLEAN: wire.PARAMETER_TYPE_BOOLEAN,
    ParameterType.CHOICE: wire.PARAMETER_TYPE_CHOICE,
    ParameterType.SECRET: wire.PARAMETER_TYPE_SECRET,
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
        template=template_to_wire(spec.template),
        parameters=map(parameter_to_wire, spec.parameters),
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
        template=template_from_wire(message),
        parameters=tuple(map(parameter_from_wire, message.parameters)),
    )


def parameter_to_wire(parameter: Parameter) -> wire.Parameter:
    return wire.Parameter(
        name=parameter.name,
        type=PARAMETER_TYPES[parameter.type],
        pattern=parameter.pattern,
        choices=parameter.choices,
        help=parameter.help,
        optional=not parameter.required,
        default=parameter.default,
    )


def parameter_from_wire(message: wire.Parameter) -> Parameter:
    return Parameter(
        name=message.name,
        type=word(PARAMETER_TYPES, message.type or wire.PARAMETER_TYPE_TEXT),
        pattern=message.pattern,
        choices=tuple(message.choices),
        help=message.help,
        required=not message.optional,
        default=message.default if message.HasField("default") else None,
    )


def template_to_wire(template: TemplateVersion | None) -> wire.TemplateVersion | None:
    if template is None:
        return None
    return wire.TemplateVersion(name=template.name, version=template.version)


def template_from_wire(message: wire.TaskSpec | wire.Task) -> TemplateVersion | None:
    if not message.HasField("template"):
        return None
    return TemplateVersion(message.template.name, message.template.version)


def offline_from_wire(policy: wire.OfflinePolicy.ValueType) -> Offline:
    if policy == wire.OFFLINE_POLICY_UNSPECIFIED:
        return OFFLINE_DEFAULT
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
        name=spec.name,
        script=_content_to_wire(spec.script),
        arguments=spec.arguments,
        stdin=_content_to_wire(spec.stdin),
        on_failure=ON_FAILURE[spec.on_failure],
        always=spec.always,
        barrier=spec.barrier,
        copy=convert_files.copy_to_wire(spec.copy),
        fetch=convert_files.fetch_to_wire(spec.fetch),
        update=convert_files.update_to_wire(spec.update),
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
        name=message.name,
        script=_content_from_wire(message.script) if message.HasField("script") else None,
        arguments=tuple(message.arguments),
        stdin=_content_from_wire(message.stdin) if message.HasField("stdin") else None,
        on_failure=_on_failure_from_wire(message.on_failure),
        always=message.always,
        barrier=message.barrier,
        copy=convert_files.copy_from_wire(message.copy) if message.HasField("copy") else None,
        fetch=convert_files.fetch_from_wire(message.fetch) if message.HasField("fetch") else None,
        update=convert_files.update_from_wire(message.update)
        if message.HasField("update")
        else None,
    )


def _on_failure_from_wire(value: wire.OnFailure.ValueType) -> OnFailure:
    if value == wire.ON_FAILURE_UNSPECIFIED:
        return OnFailure.STOP
    return word(ON_FAILURE, value)


def _content_to_wire(content: Content | None) -> wire.Content | None:
    if content is None:
        return None
    if content.data is None:
        return wire.Content(size=content.size, sha256=content.sha256)
    return wire.Content(data=content.data)


def _content_from_wire(message: wire.Content) -> Content:
    if message.HasField("data"):
        return content_of(message.data)
    return Content(message.size, message.sha256)


def secrets_from_wire(secrets: Mapping[str, bytes]) -> dict[str, str]:
    """Secrets by name. Raises InvalidInputError for one that is not UTF-8."""
    return {name: _secret(name, value) for name, value in secrets.items()}


def _secret(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidInputError("secret", f"The secret {name} is not UTF-8.") from None
