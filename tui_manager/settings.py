"""The settings of the manager that no service obeys, with their defaults. The defaults of what the
services obey, for example `lost_after`, are in `service/service_settings.py`; `Settings` inherits
them. `cli/load_settings.py` reads the values from the command line, the environment and the
file."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tui_manager_protos.lazy_dataclass import dataclass
from tui_manager_protos.rules.manager_address import check_manager_address

from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.manager.address import PORT_MAX, is_loopback, split_address
from tui_manager.service.service_settings import ServiceSettings
from tui_manager.user_folders import default_log_dir, default_state_dir

if TYPE_CHECKING:
    from tui_manager.domain.manager.notification import Hook, Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServiceSettings):
    """What an operator can set: the settings of the services, and what follows.

    Attributes:
        state_dir: holds keys, the operator's socket, and the database unless it is elsewhere.
        database: the URL of a PostgreSQL database; empty: a file in the state folder. It may hold
            a password.
        change_feed: the URL of NATS, over which managers on one database tell each other of
            changes; empty: the database does it. It may hold a password.
        name: of this manager among those on one database; empty: that of its machine.
        log_dir: holds the rotating log file.
        listen: address for agents, HOST:PORT; port 0 takes a free one.
        enroll_listen: address for enrolment, HOST:PORT; empty: the port after that of `listen`.
        advertise: address by which agents know this manager, HOST:PORT; empty: `listen`, if that is
            not every address of the machine.
        metrics: where metrics are served to Prometheus, HOST:PORT; empty: nowhere.
        insecure: no TLS, and every host that connects is admitted; on loopback only.
        authority_certificate, authority_key: PEM files of the operator's own certificate
            authority; both or none.
        server_certificate, server_key: the same for the certificate of the command port.
        server_names: more addresses and DNS names by which hosts dial the manager.
        theme: the colours of the dashboard.
        notify: what the terminal gets when a long task has ended.
        notify_after: a task that ran longer is a long one.
        keys: of the actions of the dashboard, by their ids.
        hooks, webhooks: who receives notifications, by name. A URL may hold a secret.
    """

    state_dir: Path = field(default_factory=default_state_dir)
    database: str = field(default="", repr=False)
    change_feed: str = field(default="", repr=False)
    name: str = ""
    log_dir: Path = field(default_factory=default_log_dir)
    listen: str = "127.0.0.1:7443"
    enroll_listen: str = ""
    advertise: str = ""
    metrics: str = ""
    insecure: bool = False
    authority_certificate: Path | None = None
    authority_key: Path | None = None
    server_certificate: Path | None = None
    server_key: Path | None = None
    server_names: Sequence[str] = ()
    theme: str = "dark"
    notify: str = "bell"
    notify_after: timedelta = timedelta(seconds=30)
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    hooks: Mapping[str, Hook] = field(default_factory=dict)
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)


def _same_port(one: str, other: str) -> bool:
    """Whether a program cannot listen on both addresses."""
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
                f"Hosts cannot enrol on {settings.enroll_listen} while agents connect on "
                f"{settings.listen}: that port requires a certificate. Name another one with "
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


def manager_name(settings: Settings) -> str:
    """What operators know this manager by."""
    return settings.name or socket.gethostname()


def advertised_address(settings: Settings, listening: str) -> str:
    """The address by which agents may know this manager beside others; empty: there is none.

    Args:
        listening: where it listens, HOST:PORT with the real port.
    """
    if settings.advertise:
        return settings.advertise
    try:
        check_manager_address(listening)
    except ValueError:
        return ""
    return listening


def check_security(settings: Settings) -> None:
    """Raises InvalidInputError unless a manager may listen with these settings.

    Without TLS everybody who reaches the port could pretend to be a host or the manager. Therefore
    `insecure` must be set explicitly, and is allowed on loopback only.
    """
    host, _ = split_address(settings.listen)
    if not settings.insecure:
        enroll_address(settings)
        return
    if not is_loopback(host):
        raise InvalidInputError(
            "insecure",
            f"--insecure is not allowed with --listen {settings.listen}: without TLS, everybody "
            "who reaches the port could pretend to be a host. Leave --insecure out, or listen on a "
            "loopback address.",
        )
    if settings.enroll_listen:
        raise InvalidInputError(
            "enroll_listen",
            f"With --insecure hosts do not enrol, so {settings.enroll_listen} would not be "
            "used. Leave out either --insecure or --enroll-listen.",
        )
