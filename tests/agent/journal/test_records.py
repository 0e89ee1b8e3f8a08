"""Records as the first versions of the agent and its supervisor wrote them, byte by byte."""

import base64
import time
import uuid
from pathlib import Path

import pytest
from tui_manager_agent.journal.acknowledged import Acknowledged
from tui_manager_agent.journal.execution_folder import ExecutionFolder
from tui_manager_agent.journal.order_and_result import Order, Result, RunAs
from tui_manager_agent.policy.policy import CommandRequest
from tui_manager_agent.policy.policy_file import parse
from tui_manager_agent.supervisor import record
from tui_manager_protos.v1 import agent_pb2 as wire

from tests.agent.in_process import InProcess
from tests.agent.live_executions import LiveExecutions

ORDER = (
    b"command=echo $WORD\0user=web\0folder=\0cwd=/srv\0variables=WORD=TOKEN\0"
    b"timeout=3600000000000\0kill_grace=10000000000\0output_limit=16777216\0priority=-3\0"
    b"bell=/state/bell\0boot_id=this\0memory_max=67108864\0cpu_max=50\0start_before=99\0"
    b"uid=33\0gid=33\0groups=33 100\0env:PATH=/usr/bin\0env:WORD=a=b\n\xff\0"
)
SEAL = b"crc=927c5a60\0"
ORDER_VALUE = Order(
    command="echo $WORD",
    user="web",
    folder="",
    cwd="/srv",
    variables=("WORD", "TOKEN"),
    timeout=3_600_000_000_000,
    kill_grace=10_000_000_000,
    output_limit=16_777_216,
    priority=-3,
    fifo=Path("/state/bell"),
    boot_id="this",
    limits={"memory_max": 67_108_864, "cpu_max": 50},
    start_before=99,
    run_as=RunAs(uid=33, gid=33, groups=(33, 100)),
    environment={"PATH": "/usr/bin", "WORD": "a=b\n\udcff"},
)
OF_A_SUPERVISOR = (
    b"pid=4194304\0folder=/x\0uid=0\0boot_id=this\0at=5\0ended=7\0duration=2\0cpu=1\0"
    b"memory_peak=4096\0exit_code=3\0status=failed\0reason=exit_code\0kill_incomplete=0\0detail=\0"
    b"stdout_stored=6\0stdout_dropped=0\0stderr_stored=0\0stderr_dropped=9\0boot_id=this\0"
)
OF_AN_AGENT = (
    b"status=failed\0reason=interrupted\0detail=its supervisor died\0ended=7\0boot_id=this\0"
    b"stdout_stored=6\0stderr_stored=0\0duration=2\0kill_incomplete=0\0"
)


def test_an_order_is_spelled_as_ever() -> None:
    assert ORDER_VALUE.encode() == ORDER
    assert Order.decode(record.decode(ORDER)) == ORDER_VALUE


def test_an_order_on_disk_is_the_same_to_its_last_byte(tmp_path: Path) -> None:
    spool = ExecutionFolder(tmp_path / "execution")
    spool.accept(ORDER_VALUE)
    data = (spool.folder / "accepted").read_bytes()
    assert data == (ORDER + SEAL).ljust(8192, b"\0")
    assert spool.order() == ORDER_VALUE


def test_an_order_that_lacks_an_entry_cannot_be_understood() -> None:
    entries = record.decode(ORDER)
    del entries["timeout"]
    with pytest.raises(ValueError, match="without the entry 'timeout'"):
        Order.decode(entries)


def test_a_result_of_a_supervisor_is_read() -> None:
    assert Result.decode(record.decode(OF_A_SUPERVISOR)) == Result(
        status="failed",
        reason="exit_code",
        ended=7,
        boot_id="this",
        started=5,
        stored={"stdout": 6, "stderr": 0},
        dropped={"stdout": 0, "stderr": 9},
        duration=2,
        cpu=1,
        memory_peak=4096,
        exit_code=3,
        kill_incomplete=False,
    )


def test_the_log_of_acknowledged_keeps_all_of_a_result(tmp_path: Path) -> None:
    execution_id = str(uuid.uuid4())
    result = Result.decode(record.decode(OF_A_SUPERVISOR))
    log = Acknowledged(tmp_path / "log")
    log.append({execution_id: result})
    assert log.find(execution_id) == result


def request_in(entries: dict[str, str]) -> CommandRequest:
    request = Order.decode(entries).request
    assert isinstance(request, CommandRequest)
    return request


@pytest.mark.parametrize("missing", ["user", "folder", "variables"])
def test_a_policy_allows_nothing_that_an_older_agent_has_not_recorded(missing: str) -> None:
    limits = 'users = ["web"]\nenvironment = ["WORD", "TOKEN"]\n'
    policy = parse(limits + '[allow.echo]\ncommands = "echo $WORD"\n')
    entries = record.decode(ORDER)
    assert not policy.judge(request_in(entries), "root").refusal
    del entries[missing]
    assert policy.judge(request_in(entries), "root").refusal


def test_a_result_of_an_agent_is_spelled_as_ever(tmp_path: Path) -> None:
    result = Result(
        status="failed",
        reason="interrupted",
        detail="its supervisor died",
        ended=7,
        boot_id="this",
        stored={"stdout": 6, "stderr": 0},
        duration=2,
        kill_incomplete=False,
    )
    spool = ExecutionFolder(tmp_path / "execution")
    spool.write_result(result)
    assert (spool.folder / "result").read_bytes() == OF_AN_AGENT
    assert spool.result() == result


def test_a_line_of_the_log_of_acknowledged_is_read(tmp_path: Path) -> None:
    execution_id = str(uuid.uuid4())
    line = f"{execution_id} {time.time():.0f} {base64.b64encode(OF_AN_AGENT).decode()}\n"
    (tmp_path / "log").write_text(line)
    found = Acknowledged(tmp_path / "log").find(execution_id)
    assert found == Result.decode(record.decode(OF_AN_AGENT))


def executions_in(state_dir: Path) -> Path:
    """Where an agent on this state folder keeps its executions."""
    before = InProcess(state_dir)
    before.close()
    (folder,) = state_dir.glob("managers/*/executions")
    return folder


async def test_an_upgraded_agent_runs_what_the_one_before_it_accepted(tmp_path: Path) -> None:
    execution_id = str(uuid.uuid4())
    folder = executions_in(tmp_path) / execution_id
    folder.mkdir()
    entries = (
        b"command=echo $WORD\0user=root\0folder=\0cwd=/\0variables=WORD\0timeout=60000000000\0"
        b"kill_grace=1000000000\0output_limit=1000\0priority=0\0bell=%b\0boot_id=another\0"
        b"env:WORD=kept\0env:TUI_MANAGER_EXECUTION_ID=%b\0"
    ) % (bytes(tmp_path / "bell"), execution_id.encode())
    (folder / "accepted").write_bytes(record.pad(record.seal(entries)))
    after = LiveExecutions(tmp_path)
    await after.resume(execution_id, wire.RESUME_ACTION_GO_ON)
    assert (await after.result(execution_id)).exit_code == 0
    assert after.output == {execution_id: b"kept\n"}
    await after.stop()


async def test_an_upgraded_agent_reports_what_ended_before(tmp_path: Path) -> None:
    execution_id = str(uuid.uuid4())
    folder = executions_in(tmp_path) / execution_id
    folder.mkdir()
    (folder / "result").write_bytes(OF_A_SUPERVISOR + b"\0" * 7000)
    (folder / "stdout").write_bytes(b"ready\n")
    after = LiveExecutions(tmp_path)
    await after.resume(execution_id, wire.RESUME_ACTION_GO_ON)
    result = await after.result(execution_id)
    assert result.reason == wire.RESULT_REASON_EXIT_CODE
    assert result.exit_code == 3
    assert [(total.stored, total.dropped) for total in result.totals] == [(6, 0), (0, 9)]
    assert after.output == {execution_id: b"ready\n"}
    await after.stop()
