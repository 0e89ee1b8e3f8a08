"""Opens the connection to a manager on this machine."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from tui_manager.operator.api import Operator


def connect_operator(state_dir: Path) -> AbstractAsyncContextManager[Operator]:
    """The operator's API of the manager that runs on `state_dir`.

    Raises:
        UnreachableError: on entering, if none answers.
    """
    from tui_manager.operator.socket.client import connect as dial

    connection: AbstractAsyncContextManager[Operator] = dial(state_dir)
    return connection
