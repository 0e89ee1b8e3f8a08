"""parallel-ssh with its connections kept, in its own environment: nothing of ours is installed.

`python -m bench.peers.kept_connections PORT USER KEY COUNT` answers `run COMMAND`, in hexadecimal,
with the bytes that came back; and `copy SOURCE FOLDER`, which copies a file or a folder into
FOLDER/NUMBER of each host. With COMMAND, in hexadecimal, behind COUNT, it runs this alone, and
prints how many bytes came back.
"""

import asyncio
import sys

from gevent import joinall
from pssh.clients import ParallelSSHClient

from bench.under_test.answer_questions import answer


class Hosts:
    """All of them are this machine; each has a connection of its own."""

    def __init__(self, port: int, user: str, key: str, count: int) -> None:
        self._count = count
        self._client = ParallelSSHClient(
            ["127.0.0.1"] * count, user=user, port=port, pkey=key, pool_size=count, num_retries=1
        )

    async def run(self, command: str) -> int:
        """Runs it on all, and reads everything."""
        outputs = self._client.run_command(bytes.fromhex(command).decode())
        # Not line by line, which takes it the square of the output's length.
        buffers = [output.buffers.stdout.rw_buffer for output in outputs]
        size = sum(len(data) for buffer in buffers for data in buffer)
        self._client.join(outputs)
        codes = {output.exit_code for output in outputs}
        if codes != {0}:
            raise RuntimeError(f"exit codes {codes}")
        return size

    async def copy(self, source: str, folder: str) -> bool:
        """Copies it to all."""
        name = source.rpartition("/")[2]
        arguments = [
            {"local_file": source, "remote_file": f"{folder}/{number}/{name}"}
            for number in range(self._count)
        ]
        copying = self._client.scp_send(
            "%(local_file)s", "%(remote_file)s", recurse=True, copy_args=arguments
        )
        joinall(copying, raise_error=True)
        return True


if __name__ == "__main__":
    port, user, key, count, *commands = sys.argv[1:]
    hosts = Hosts(int(port), user, key, int(count))
    if commands:
        sys.stdout.write(f"{asyncio.run(hosts.run(*commands))}\n")
    else:
        asyncio.run(answer({"run": hosts.run, "copy": hosts.copy}))
