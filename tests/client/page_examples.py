"""The examples of `docs/python.md`, word for word: `make lint` checks their types, and
`test_python_page.py` runs them."""

import asyncio
from pathlib import Path

from tui_manager.client import (
    IllegalMoveError,
    InvalidInputError,
    Manager,
    NoAnswerError,
    Stream,
    TaskHandle,
    TaskResult,
    UnreachableError,
    connect,
    new_request_id,
    safe_text,
)


async def main() -> None:
    async with connect() as manager:
        task = await manager.run("role=web", "uptime", timeout="1m")
        async for line in task.output():
            print(f"{line.host}: {line.text}")
        result = await task.wait()
        print(result.status, result.counts.completed, "of", result.counts.total)


if __name__ == "__main__":
    asyncio.run(main())


async def show_hosts(manager: Manager) -> None:
    async for host in manager.hosts("role=web"):
        state = "online" if host.online else "offline"
        print(host.name, state, host.labels.get("env", "-"))


async def restart(manager: Manager) -> bool:
    task = await manager.run(
        "role=web",
        "restart-service $WAIT",
        name="restart web",
        params={"WAIT": 5},
        timeout="5m",
        batches="1,50%,rest",
        max_failures=0,
    )
    result = await task.wait()
    for row in result.not_completed:
        print(f"{row.host}: {row.status} {row.reason} {row.exit_code}")
    return result.completed


async def print_errors(task: TaskHandle) -> None:
    async for line in task.output(stream=Stream.STDERR):
        print(f"{line.host}: {safe_text(line.text)}")


async def save_output(manager: Manager, task_id: int, path: Path) -> None:
    chunks = manager.task(task_id).chunks("web01")
    path.write_bytes(b"".join([chunk.data async for chunk in chunks]))


async def repeat_on_failed(manager: Manager, task_id: int) -> TaskResult:
    task = manager.task(task_id)
    try:
        again = await task.rerun("failed", "unreached")
    except IllegalMoveError as error:  # it still runs, or there is no such host
        print(error)
        return await task.result()
    return await again.wait()


async def deploy(manager: Manager) -> TaskResult:
    task = await manager.run_template(
        "deploy",
        version=1,
        target="web01",
        params={"release": "2.14"},
        secrets={"token": "hunter2"},
    )
    return await task.wait()


async def within(manager: Manager, seconds: float) -> TaskResult:
    task = await manager.run("role=web", "sleep 600; true")
    try:
        async with asyncio.timeout(seconds):
            return await task.wait()
    except TimeoutError:
        await task.cancel()
        return await task.wait()  # every process is gone, or the rows say what survived


async def both(manager: Manager) -> None:
    async with asyncio.TaskGroup() as group:
        for target in ("web01", "db01"):
            task = await manager.run(target, "hostname")
            group.create_task(task.wait())


async def run_once(manager: Manager) -> TaskHandle:
    request_id = new_request_id()
    while True:
        try:
            return await manager.run("db01", "make-backup", request_id=request_id)
        except NoAnswerError:  # it may have started: the same id starts it once
            await asyncio.sleep(1)


async def wait_for_good(task_id: int) -> TaskResult:
    while True:
        try:
            async with connect() as manager:
                return await manager.task(task_id).wait()
        except UnreachableError as error:
            print(error)
            await asyncio.sleep(1)


def check_target(target: str) -> list[str]:
    async def read() -> list[str]:
        async with connect() as manager:
            preview = await manager.preview(target)
            return list(preview.hosts)

    try:
        return asyncio.run(read())
    except InvalidInputError as error:
        print(f"{error.field}: {error}")
        return []


async def approve_waiting(manager: Manager) -> None:
    approved = await manager.operator.approve_hosts(all_pending=True)
    print("approved:", *approved)
