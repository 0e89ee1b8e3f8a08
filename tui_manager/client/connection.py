"""Opens the connection to a manager on this machine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui_manager.operator.api import Operator


if TYPE_CHECKING:
    from tui_manager.client.manager import Manager


@asynccontextmanager
async def connect(state_dir: str | os.PathLike[str] | None = None) -> AsyncIterator[Manager]:
    """A manager of this machine. The caller must be the user as whom the manager runs, or root.

    Args:
        state_dir: its state folder; None: that of the settings, as the commands find it.

    Raises:
        UnreachableError: none answers, or it is another user's.
        InvalidInputError: the state folder of the settings is wrong.
    """
    from tui_manager.client.manager import Manager
    from tui_manager.client.state_folder import find_state_dir

    async with connect_operator(find_state_dir(state_dir)) as operator:
        yield Manager(operator)


def connect_operator(state_dir: Path) -> AbstractAsyncContextManager[Operator]:
    """The operator's API of the manager that runs on `state_dir`.

    Raises:
        UnreachableError: on entering, if none answers.
    """
    from tui_manager.operator.socket.client.client import connect as dial

    connection: AbstractAsyncContextManager[Operator] = dial(state_dir)
    return connection
