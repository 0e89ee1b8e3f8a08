"""The manager's own state: what needs an operator, and its figures."""

from datetime import datetime

from tui_manager.domain.health import ManagerStatus
from tui_manager.domain.safe_text import safe_line
from tui_manager.ui.render.cells import Role, Span, Spans
from tui_manager.ui.render.figures import age, count_of, precise, size


def attention_lines(status: ManagerStatus) -> tuple[Spans, ...]:
    """A sentence each, the most urgent first."""
    if not status.attention:
        return ((Span("✔ ", Role.GOOD), Span("Nothing needs you.")),)
    return tuple(
        (Span("▲ ", Role.FAULT), Span(safe_line(sentence))) for sentence in status.attention
    )


def figure_lines(status: ManagerStatus, now: datetime) -> tuple[Spans, ...]:
    """Name and value a line, in the order of a reader's questions."""
    health = status.health
    state = "recovering" if status.recovering else "running"
    pairs = (
        ("manager", f"{state} for {age(now - status.started_at)}, version {status.version}"),
        ("address", f"{status.address}  {status.security}"),
        ("state", f"{status.state_dir}  (process {status.pid}, {status.manager_id})"),
        ("", ""),
        (
            "hosts",
            f"{status.hosts_online:,} of {status.hosts_total:,} online, "
            f"{status.hosts_pending:,} pending, {count_of(health.sessions, 'session')}",
        ),
        ("tasks", f"{status.tasks_running} running"),
        (
            "results",
            f"{health.commands_per_second:,.1f} a second, output {size(health.bytes_per_second)}/s",
        ),
        ("", ""),
        ("commit", f"{precise(health.commit_seconds)} median"),
        ("loop lag", f"{precise(health.loop_lag_seconds)} at worst"),
        ("queues", f"{health.write_queue:,} to write, {health.send_queue:,} to send"),
        ("process", f"{size(health.memory_bytes)} memory, {health.cpu_percent:.0f}% cpu"),
        ("database", size(health.database_bytes)),
    )
    lines = [(Span(f"{name:<10}", Role.MUTED), Span(value)) for name, value in pairs]
    if health.storage_error:
        lines.append((Span(f"{'storage':<10}", Role.MUTED), _fault(health.storage_error)))
    return tuple(lines)


def _fault(text: str) -> Span:
    return Span(f"✘ {safe_line(text)}", Role.FAULT)
