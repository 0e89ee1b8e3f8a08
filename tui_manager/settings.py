"""Every setting of the manager, with its default and bounds. Where values come from is
`cli/config.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from platformdirs import user_log_path, user_state_path

from tui_manager.domain.address import PORT_MAX, is_loopback, split_address
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.spec import KILL_GRACE, OUTPUT_LIMIT

APP = "tui-manager"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator can set.

    Attributes:
        state_dir: holds the database and the operator's socket.
        log_dir: where the rotating log file lies.
        listen: where agents dial in, HOST:PORT; port 0 takes a free one.
        enroll_listen: where hosts enrol, HOST:PORT; empty: the port after that of `listen`.
        insecure: no TLS, and hosts admitted as they come; on loopback only.
        lost_after: silence of an agent that turns its work into failure.
        heartbeat: an agent reports at least this often; with thousands of them less often.
        kill_grace: between SIGTERM and SIGKILL.
        output_limit: bytes kept of one command on one host, both streams together.
        free_disk: bytes that must be free in the state folder for a task to start.
        history_days: days after its end at which a task is removed with its output; 0: never.
        authority_certificate, authority_key: PEM files of an authority that the operator brings;
            both or none.
        server_certificate, server_key: the same for what the command port shows.
        server_names: more addresses and DNS names by which hosts dial the manager.
        groups: host groups, name → target.
    """

    state_dir: Path = field(default_factory=lambda: user_state_path(APP))
    log_dir: Path = field(default_factory=lambda: user_log_path(APP))
    listen: str = "127.0.0.1:7443"
    enroll_listen: str = ""
    insecure: bool = False
    lost_after: timedelta = timedelta(minutes=5)
    heartbeat: timedelta = timedelta(seconds=5)
    kill_grace: timedelta = KILL_GRACE
    output_limit: int = OUTPUT_LIMIT
    free_disk: int = 256 * 1024 * 1024
    history_days: int = 30
    authority_certificate: Path | None = None
    authority_key: Path | None = None
    server_certificate: Path | None = None
    server_key: Path | None = None
    server_names: Sequence[str] = ()
    groups: Mapping[str, str] = field(default_factory=dict)


# The least and the most that a duration may be.
DURATIONS: Mapping[str, tuple[timedelta, timedelta]] = {
    "lost_after": (timedelta(seconds=1), timedelta(days=7)),
    "heartbeat": (timedelta(milliseconds=100), timedelta(minutes=10)),
    "kill_grace": (timedelta(0), timedelta(hours=1)),
}

# The same for sizes, in bytes.
SIZES: Mapping[str, tuple[int, int]] = {
    "output_limit": (1024, 16 << 30),
    "free_disk": (0, 1 << 50),
}

# The same for plain numbers.
NUMBERS: Mapping[str, tuple[int, int]] = {
    "history_days": (0, 36_500),
}


def _same_port(one: str, other: str) -> bool:
    """Whether two addresses cannot both be listened on."""
    (host, port), (other_host, other_port) = split_address(one), split_address(other)
    everywhere = {"0.0.0.0", "::"} & {host, other_host}
    return port == other_port != 0 and (host == other_host or bool(everywhere))


def enroll_address(settings: Settings) -> str:
    """Where hosts enrol, HOST:PORT; port 0 takes a free one.

    Raises:
        InvalidInputError: the port after that of `listen` does not exist, or both are the same.
    """
    if settings.enroll_listen:
        if _same_port(settings.enroll_listen, settings.listen):
            raise InvalidInputError(
                "enroll_listen",
                f"Hosts cannot enrol on {settings.enroll_listen} while agents dial in on "
                f"{settings.listen}: that port demands a certificate. Name another one with "
                "--enroll-listen.",
            )
        return settings.enroll_listen
    place, _, port = settings.listen.rpartition(":")
    if int(port) == PORT_MAX:
        raise InvalidInputError(
            "enroll_listen",
            f"There is no port after {settings.listen} where hosts could enrol. Name one with "
            "--enroll-listen.",
        )
    return f"{place}:{int(port) + 1 if int(port) else 0}"


def check_security(settings: Settings) -> None:
    """Raises InvalidInputError unless a manager may listen with these settings.

    Without TLS anybody who reaches the port could pose as a host or as the manager, so it stays on
    loopback, and has to be asked for by name.
    """
    host, _ = split_address(settings.listen)
    if not settings.insecure:
        enroll_address(settings)
        return
    if not is_loopback(host):
        raise InvalidInputError(
            "insecure",
            f"Refusing to listen on {settings.listen} with --insecure: there is no TLS then, and "
            "whoever reaches the port could pose as a host. Leave --insecure out, or listen on a "
            "loopback address.",
        )
    if settings.enroll_listen:
        raise InvalidInputError(
            "enroll_listen",
            f"With --insecure hosts do not enrol, so {settings.enroll_listen} would stay "
            "closed. Leave out either --insecure or --enroll-listen.",
        )
