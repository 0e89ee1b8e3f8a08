"""`tui-manager database forget-keys`. Each command has a file of its own, which is imported only
when the command is called."""

from tui_manager.cli.printing.write_text import write
from tui_manager.domain.errors import InvalidInputError
from tui_manager.operator.actor import this_actor
from tui_manager.settings import Settings
from tui_manager.storage.maintenance.forget_keys import forget_keys

_NEXT = """\
{name}: the keys of its managers are forgotten.
The manager that you start next says which keys all have from now on: those of the cluster.key in
its state folder; if there is none, those of the folder security in it; if there are none, new ones.
Copy its cluster.key to the others before you start them. With other keys than before, each host
must join again: see "When a key leaks" in SECURITY.md.
"""


def run_forget_keys(settings: Settings) -> int:
    """Makes the database of the settings forget its keys, and returns the exit status."""
    if not settings.database:
        raise InvalidInputError(
            "database",
            "The setting database is empty: a manager on SQLite has its keys in the folder "
            "security of its state folder, and the database knows nothing of them.",
        )
    write(_NEXT.format(name=forget_keys(settings.database, this_actor())))
    return 0
