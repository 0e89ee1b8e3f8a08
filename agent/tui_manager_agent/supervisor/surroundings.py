"""What a process of another user must not have from the agent: its place with the OOM killer, its
keyring, its resource limits."""

from __future__ import annotations

import os
import resource

from tui_manager_agent.supervisor import processes

_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
_INIT = 1  # whose limits are those of a process that nobody has limited


def shed() -> None:
    """Called by root in the process that is about to become another user."""
    if not processes.ON_LINUX:
        return
    try:  # noqa: SIM105 - contextlib is not cheap
        _reset_oom_score()
    except OSError:
        pass  # it was more likely to be killed than others, and stays so
    processes.leave_keyring()
    _reset_limits()


def _reset_oom_score() -> None:
    """The agent may be protected, as a service can be; its commands are ordinary processes."""
    descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, b"0")
    finally:
        os.close(descriptor)


def _reset_limits() -> None:
    """Those of PID 1, but no core file unless the command asks for one."""
    for number in _LIMITS:
        try:
            soft, hard = resource.prlimit(_INIT, number)
        except OSError:
            continue  # a container's PID 1 may be out of reach: the agent's limit stays
        if number == resource.RLIMIT_CORE:
            soft = 0
        own_hard = resource.getrlimit(number)[1]
        # Without CAP_SYS_RESOURCE root cannot raise a hard limit: what lies below it, it can.
        for limits in ((soft, hard), (soft, own_hard), (own_hard, own_hard)):
            try:
                resource.setrlimit(number, limits)
                break
            except (OSError, ValueError):
                pass
