"""The JSON for scripts. Names and shapes must not change.

The JSON of schedules is in `cli/printing/list_and_show/schedule_details.py`, that of `template
show` in `cli/printing/list_and_show/template_details.py`. `config` and `check` print what only they
have: see their files in `cli/commands/`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tui_manager.domain.task_spec.resource_limits import NO_LIMITS

if TYPE_CHECKING:
    from tui_manager.domain.hosts.host import Host, HostDetail
    from tui_manager.domain.hosts.join_token import NewToken, Token
    from tui_manager.domain.hosts.vitals import Vitals
    from tui_manager.domain.manager.audit import AuditEntry
    from tui_manager.domain.manager.gateway import Gateway
    from tui_manager.domain.manager.notification import ReceiverStatus
    from tui_manager.domain.task_files.template import Template
    from tui_manager.domain.task_spec.copy_and_fetch import Transfer, UpdateSpec
    from tui_manager.domain.task_spec.task_spec import CommandSpec, TaskSpec
    from tui_manager.domain.task_spec.template_version import TemplateVersion
    from tui_manager.domain.tasks.task import CommandHost, Hold, Task, TaskDetail
    from tui_manager.domain.tasks.task_plan import TaskPlan

Shape = dict[str, Any]


def timestamp(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the millisecond."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def host_shape(host: Host) -> Shape:
    """An element of `hosts --json`."""
    return {
        "host_id": host.host_id,
        "name": host.name,
        "labels": dict(sorted(host.labels.items())),
        "admission": host.admission,
        "online": host.online,
        "since": timestamp(host.since),
        "address": host.address,
        "os": host.os,
        "arch": host.arch,
        "agent_version": host.agent_version,
        "build": host.agent_build,
        "installed_by": host.installed_by,
        "running": host.running,
        "fingerprint": host.fingerprint or None,
        "maintenance": maintenance_shape(host),
        "cpu": round(host.vitals.cpu_percent, 1) if host.vitals else None,
        "memory": round(host.vitals.memory_percent, 1) if host.vitals else None,
    }


def host_detail_shape(detail: HostDetail) -> Shape:
    """What `hosts show --json` prints. The vitals of a host that is offline are empty."""
    return {
        **host_shape(detail.host),
        "manager": detail.manager or None,
        "operator_labels": dict(sorted(detail.operator_labels.items())),
        "facts": dict(sorted(detail.facts.items())),
        "facts_at": timestamp(detail.facts_at),
        "vitals": vitals_shape(detail.host.vitals) if detail.host.vitals else {},
        "tasks": [task_shape(task) for task in detail.tasks],
    }


def vitals_shape(vitals: Vitals) -> Shape:
    """The newest measurements of a host. Sizes are in bytes, times in seconds."""
    return {
        "cpu_percent": round(vitals.cpu_percent, 1),
        "load_1m": round(vitals.load_1m, 2),
        "memory_used": vitals.memory_used,
        "memory_total": vitals.memory_total,
        "disks": [
            {"mount": disk.mount, "used": disk.used, "total": disk.total} for disk in vitals.disks
        ],
        "running": vitals.running,
        "queued": vitals.queued,
        "cores": vitals.cores,
        "uptime": vitals.uptime.total_seconds(),
        "skew": vitals.skew.total_seconds(),
    }


def maintenance_shape(host: Host) -> Shape | None:
    """The maintenance of a host; null: it is in none."""
    if host.maintenance is None:
        return None
    return {"reason": host.maintenance.reason, "until": timestamp(host.maintenance.until)}


def manager_shape(manager: Gateway) -> Shape:
    """An element of `managers --json`. "cpu" is per cent of one core, "memory" is in bytes. The
    figures of a manager that is not heard are null."""
    from tui_manager.domain.manager.gateway import GatewayState  # most commands need none of it

    health = manager.newest_health
    return {
        "number": manager.number,
        "name": manager.name,
        "address": manager.address,
        "version": manager.version,
        "state": manager.state,
        "leads": manager.state is GatewayState.LEADS,
        "alive": manager.alive,
        "since": timestamp(manager.started_at),
        "hosts": health.sessions if health else None,
        "cpu": round(health.cpu_percent, 1) if health else None,
        "memory": health.memory_bytes if health else None,
        "commands_per_second": round(health.commands_per_second, 1) if health else None,
        "last_seen": timestamp(manager.last_seen),
    }


def audit_shape(entry: AuditEntry) -> Shape:
    """An element of `audit --json`."""
    return {
        "audit_id": entry.audit_id,
        "at": timestamp(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "task_id": entry.task_id or None,
        "task_name": entry.task_name or None,
        "host_id": entry.host_id or None,
        "host": entry.host or None,
        "detail": dict(sorted(entry.detail.items())),
    }


def new_token_shape(token: NewToken) -> Shape:
    """What `token create --json` prints."""
    return {
        "token": token.text,
        "expires_at": timestamp(token.expires_at),
        "token_id": token.token_id,
    }


def token_shape(token: Token) -> Shape:
    """An element of `token list --json`."""
    return {
        "token_id": token.token_id,
        "state": token.state,
        "created_by": token.created_by,
        "created_at": timestamp(token.created_at),
        "expires_at": timestamp(token.expires_at),
        "uses": token.uses,
        "uses_left": token.uses - token.used,
        "auto_approve": token.auto_approve,
        "labels": dict(sorted(token.labels.items())),
    }


def receiver_shape(receiver: ReceiverStatus) -> Shape:
    """An element of `notifications --json`."""
    return {
        "name": receiver.name,
        "kind": receiver.kind,
        "place": receiver.place,
        "events": list(receiver.events),
        "after_failures": receiver.after_failures,
        "pending": receiver.pending,
        "delivered": receiver.delivered,
        "given_up": receiver.given_up,
        "dropped": receiver.dropped,
        "delivered_at": timestamp(receiver.delivered_at),
        "failing_since": timestamp(receiver.failing_since),
        "last_error": receiver.last_error or None,
        "lost_at": timestamp(receiver.lost_at),
    }


def template_shape(template: Template) -> Shape:
    """An element of `template list --json`; "schedules" is how many use it."""
    return {
        "name": template.name,
        "version": template.version,
        "description": template.description,
        "saved_by": template.saved_by,
        "saved_at": timestamp(template.saved_at),
        "schedules": template.schedules,
    }


def plan_shape(spec: TaskSpec, plan: TaskPlan) -> Shape:
    """What `run --plan --json` prints; "batch" is null if a random order is not drawn yet."""
    return {
        "hosts": [
            {
                "host": host.name,
                "batch": host.batch or None,
                "online": host.online,
                "maintenance": host.maintenance,
                "refusal": host.refusal or None,
            }
            for host in plan.hosts
        ],
        "left_out": list(plan.left_out),
        "batches": list(plan.batches),
        "order": spec.rollout.order,
        "max_concurrency": plan.max_concurrency or None,
        "max_failures": plan.max_failures,
        "steps": [{"name": step.name, "kind": step.kind} for step in spec.commands],
    }


def hold_shape(hold: Hold | None) -> Shape | None:
    """The "hold" of a task."""
    if hold is None:
        return None
    return {"batch": hold.batch, "of": hold.of, "expires_at": timestamp(hold.expires_at)}


def task_shape(task: Task) -> Shape:
    """An element of `task list --json`."""
    return {
        "task_id": task.task_id,
        "name": task.name,
        "status": task.status,
        "target": task.target,
        "counts": task.counts.as_dict(),
        "created_at": timestamp(task.created_at),
        "started_at": timestamp(task.started_at),
        "finished_at": timestamp(task.finished_at),
        "created_by": task.created_by,
        "paused": task.paused,
        "hold": hold_shape(task.hold),
        "template": origin_template_shape(task.template),
    }


def origin_template_shape(template: TemplateVersion | None) -> Shape | None:
    """The "template" of a task; null: it was made from none."""
    return None if template is None else {"name": template.name, "version": template.version}


def steps_shape(detail: TaskDetail) -> Shape:
    """What `task show --json` adds on the steps of a task."""
    steps = [
        {
            "name": command.spec.name,
            "kind": command.spec.kind,
            "status": command.status,
            "counts": command.counts.as_dict(),
            **_update_shape(command.spec.update),
        }
        for command in detail.commands
    ]
    return {"steps": steps}


def _update_shape(update: UpdateSpec | None) -> Shape:
    """What an update adds to its step."""
    if update is None:
        return {}
    return {
        "version": update.version,
        "build": update.build,
        "system": update.system,
        "arch": update.arch,
    }


def limits_shape(detail: TaskDetail) -> Shape:
    """What `task show --json` adds for a task that has a command with limits; null: no limit."""
    limits = [
        {
            "command": command.index,
            "memory_max": command.spec.limits.memory_max or None,
            "tasks_max": command.spec.limits.tasks_max or None,
            "cpu_max": command.spec.limits.cpu_max or None,
        }
        for command in detail.commands
        if command.spec.limits != NO_LIMITS
    ]
    return {"limits": limits} if limits else {}


def origin_shape(detail: TaskDetail) -> Shape:
    """What `task show --json` adds on where the hosts of a task come from."""
    return {
        "rerun_of": detail.task.rerun_of or None,
        "reruns": list(detail.reruns),
        "left_out": list(detail.left_out),
    }


def command_host_shape(row: CommandHost, step: CommandSpec) -> Shape:
    """An element of "hosts" of `task show --json`; only a task with a rollout has batches, and only
    copies, fetches and updates have bytes.

    Args:
        step: of the row.
    """
    batch = {"batch": row.batch} if row.batch else {}
    files = transfer_shape(row.transfer) if step.transfer else {}
    return {
        "host": row.host,
        "command": row.command,
        "status": row.status,
        "reason": row.reason,
        "detail": row.detail,
        "exit_code": row.exit_code,
        "signal": row.signal,
        "stdout_bytes": row.stdout_bytes,
        "stderr_bytes": row.stderr_bytes,
        "truncated_bytes": row.truncated_bytes,
        "started_at": timestamp(row.started_at),
        "finished_at": timestamp(row.finished_at),
        "late": row.late,
        **batch,
        **files,
    }


def transfer_shape(transfer: Transfer | None) -> Shape:
    """What a copy, a fetch or an update adds to its element; "sha256" is null until it has
    completed."""
    return {
        "bytes": transfer.bytes if transfer else 0,
        "sha256": (transfer.sha256 or None) if transfer else None,
        "unchanged": transfer.unchanged if transfer else False,
        "files": transfer.files if transfer else 0,
        "unchanged_files": transfer.unchanged_files if transfer else 0,
    }


def output_shape(
    row: CommandHost, step: CommandSpec, stdout: str, stderr: str, *, cut: bool
) -> Shape:
    """An element of "hosts" of `run --json`."""
    shape: Shape = {}
    for name, value in command_host_shape(row, step).items():
        if name == "stdout_bytes":
            shape |= {"stdout": stdout, "stderr": stderr}
        shape[name] = value
    return shape | ({"cut": True} if cut else {})


def run_shape(detail: TaskDetail) -> Shape:
    """What `run --json` prints at the end, before "hosts": an `output_shape` for each command
    host."""
    return {
        "task_id": detail.task.task_id,
        "status": detail.task.status,
        "counts": detail.task.counts.as_dict(),
        "left_out": list(detail.left_out),
    }
