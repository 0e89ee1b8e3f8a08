"""`tui-manager completion`: prints the script that a shell reads. Each command has a file of its
own, which is imported only when the command is called."""

from importlib.resources import files

from tui_manager.cli.printing.write_text import write


def run_completion(shell: str) -> int:
    """Prints the script, and returns the exit status."""
    scripts = files("tui_manager.cli.completion") / "scripts"
    write((scripts / f"tui-manager.{shell}").read_text(encoding="utf-8"))
    return 0
