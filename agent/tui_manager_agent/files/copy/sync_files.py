"""Makes many files durable at once.

A file system commits its journal once for all that wait for it. So it takes much less time to wait
for several files at once than for one after the other.
"""

import os
import threading
from collections import deque
from collections.abc import Mapping

from tui_manager_agent.files.file_problems import as_transfer_error

AT_ONCE = 32  # files that are open for it
_THREADS = 8
_FILES_A_THREAD = 4  # at least: for less, a thread costs more than it saves


def sync_files(files: Mapping[int, bytes]) -> None:
    """Returns when all are on the disk. `files`: descriptors, with their paths for the operator.

    Raises TransferError.
    """
    pending = deque(files.items())
    problems: list[BaseException] = []

    def work() -> None:
        while pending:
            try:
                descriptor, path = pending.popleft()
                with as_transfer_error(path):
                    os.fsync(descriptor)
            except IndexError:  # another thread took the last one
                return
            except BaseException as error:
                problems.append(error)

    threads = [
        threading.Thread(
            target=work, name="sync", daemon=True
        )  # a disk that hangs holds up no exit
        for _ in range(min(_THREADS, len(files) // _FILES_A_THREAD) - 1)
    ]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
