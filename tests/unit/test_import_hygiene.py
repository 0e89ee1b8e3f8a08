"""What a package loads when it is imported alone: each layer stays as light as it promises."""

import subprocess
import sys

import pytest

SCREEN = ("textual", "rich")
WIRE = ("grpc", "google.protobuf", "tui_manager_protos.v1")
# What few commands need: each takes milliseconds of the start of the others.
SELDOM = (
    "tui_manager.domain.lists.filter_language",
    "tui_manager.domain.manager.gateway",
    "tui_manager.domain.hosts.host",
    "tui_manager.domain.presentation.json_fields",
    "tui_manager.domain.manager.manager_status",
    "tui_manager.domain.manager.notification",
    "tui_manager.domain.schedules.schedule",
    "tui_manager.domain.targets.target_matching",
    "tui_manager.domain.task_files.task_file",
    "tui_manager.domain.hosts.join_token",
    "tui_manager.service.tasks",
    "tui_manager.cli.setting_values",
    "tui_manager.cli.commands.tasks.run_gather",
    "tui_manager.cli.commands.tasks.run_json",
    "tui_manager.cli.options.secret_values",
    "tui_manager.cli.printing.plan_text",
    "tui_manager.domain.text.host_name_ranges",
    "tui_manager.domain.text.safe_text",
    "tui_manager.operator.api",
    "ClusterShell",
    "difflib",
    "hashlib",
    "json",
    "platformdirs",
    "shlex",
    "shutil",
    "tomllib",
)
STORE = ("sqlite3", "aiosqlite", "psycopg", "nats")


@pytest.mark.parametrize(
    ("package", "absent"),
    [
        (
            "tui_manager.domain.tasks.task",
            (*SCREEN, *WIRE, *STORE, "psutil", "platformdirs", "asyncio"),
        ),
        ("tui_manager.domain.targets.target", (*SCREEN, *WIRE, *STORE, "psutil", "platformdirs")),
        ("tui_manager.storage.engine.database", (*SCREEN, *WIRE, "psutil", "psycopg")),
        ("tui_manager.service.tasks.task_service", (*SCREEN, *WIRE)),
        ("tui_manager.transport.sessions.command_port", SCREEN),
        ("tui_manager.operator.api", (*SCREEN, *WIRE, *STORE)),
        ("tui_manager.operator.cross_thread", (*SCREEN, *WIRE, *STORE)),
        ("tui_manager.export.html_page", (*SCREEN, *WIRE, "aiosqlite", "psycopg")),
        ("tui_manager.operator.socket.client.client", (*SCREEN, *STORE)),
        ("tui_manager.run_manager", (*SCREEN, "psycopg", "nats", "prometheus_client")),
        ("tui_manager.cli.commands.manager.check_and_backup", (*WIRE, "textual", "psycopg")),
        ("tui_manager.ui.app", (*WIRE, *STORE, "tui_manager.service", "tui_manager.storage")),
        ("tui_manager.cli.main", (*SCREEN, *WIRE, *STORE, *SELDOM)),
        ("tui_manager.cli.commands.tasks.run", (*SCREEN, *WIRE, *STORE, *SELDOM)),
        (
            "tui_manager.cli.completion.answer_shell",
            (*SCREEN, *WIRE, *STORE, "tui_manager.ui", "tui_manager.operator", "asyncio"),
        ),
        ("tui_manager_agent.cli.main", (*SCREEN, "tui_manager")),
    ],
)
def test_a_package_loads_nothing_that_is_not_its_own(package: str, absent: tuple[str, ...]) -> None:
    # Without a look for cycles at its end, which takes a fifth of its time.
    program = f"import gc, sys, {package}; print('\\n'.join(sys.modules)); gc.freeze()"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines())
    assert package in loaded
    assert loaded.isdisjoint(absent)
