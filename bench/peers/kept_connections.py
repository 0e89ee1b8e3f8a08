"""parallel-ssh with its connections kept, in its own environment: nothing of ours is installed.

`python -m bench.peers.kept_connections PORT USER KEY COUNT` answers `run COMMAND`, in hexadecimal,
with the bytes that came back.
"""

import asyncio
import sys

from pssh.clients import ParallelSSHClient

from bench.asked import answer


class Hosts:
    """All of them are this machine; each has a connection of its own."""

    def __init__(self, port: int, user: str, key: str, count: int) -> None:
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


if __name__ == "__main__":
    port, user, key, count = sys.argv[1:]
    hosts = Hosts(int(port), user, key, int(count))
    asyncio.run(answer({"run": hosts.run}))
