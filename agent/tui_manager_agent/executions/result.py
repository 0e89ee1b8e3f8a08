"""A result as it lies on disk, whoever wrote it: the supervisor, or the agent itself."""

from tui_manager_agent.supervisor import clock


def of_the_agent(
    boot_id: str, status: str, reason: str = "", detail: str = "", **more: object
) -> dict[str, object]:
    """The fields of a result of something that no supervisor saw through to its end."""
    own = {"status": status, "reason": reason, "detail": detail, "ended": clock.now()}
    return {**own, "boot_id": boot_id, **more}


def started(fields: dict[str, str], boot_id: str) -> int:
    """Boot-time ns of the shell's exec; 0: it has not started in this boot."""
    return int(fields.get("at", 0)) if fields.get("boot_id") == boot_id else 0


def stored(fields: dict[str, str], stream: str) -> int:
    """Bytes of a stream that were spooled, as the result says."""
    return int(fields.get(f"{stream}_stored", 0))


def age(fields: dict[str, str], boot_id: str) -> int:
    """Nanoseconds since the end; of an earlier boot, at least as long as the host has been up."""
    same_boot = fields.get("boot_id") == boot_id
    return max(0, clock.now() - (int(fields["ended"]) if same_boot else 0))
