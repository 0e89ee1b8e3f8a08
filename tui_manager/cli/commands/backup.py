"""`tui-manager backup`."""

from tui_manager.cli.options.values import file_path
from tui_manager.cli.printing.printing import write
from tui_manager.settings import Settings
from tui_manager.storage.engine.database import FILE
from tui_manager.storage.maintenance.backup import back_up


def run_backup(settings: Settings, file: str, *, force: bool) -> int:
    """Copies the state folder's database to `file`, and returns the exit status."""
    size = back_up(settings.state_dir / FILE, file_path(file), overwrite=force)
    write(f"{file}: {size:,} bytes\n")
    return 0
