"""The names of files in the state folder of a manager, and whether it has a database. A file of its
own, because the client needs it, and nothing of what the manager keeps there."""

from pathlib import Path

APP = "tui-manager"  # what the folders of configuration, state and logs are called
DATABASE = "manager.db"
LOCK = "manager.lock"  # a running manager has locked it
ELSEWHERE = "postgresql"  # names the PostgreSQL database of the folder's manager, and its id


def has_database(state_dir: Path) -> bool:
    """Whether a manager of this folder has a database, in the folder or elsewhere."""
    return (state_dir / DATABASE).exists() or (state_dir / ELSEWHERE).exists()
