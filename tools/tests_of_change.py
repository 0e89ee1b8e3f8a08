"""Prints the test folders that a change needs: those of the rooms that differ from main.

With the name of a room, e.g. `ui`, it prints the folders of that room.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# For each room its own tests, and those of the rooms that call it and answer within seconds.
# The programs as a whole (tests/e2e, tests/faults) are left to `make test`.
TESTS = {
    "domain": ("unit", "storage", "service", "cli"),
    "storage": ("storage", "service"),
    "security": ("security", "service"),
    "service": ("service", "transport"),
    "transport": ("transport",),
    "operator": ("operator", "cli"),
    "ui": ("ui", "monkey"),
    "cli": ("cli",),
    "agent": ("agent",),
    "protos": ("rules", "transport", "operator"),
    "bench": ("bench",),
}


def main(arguments: list[str]) -> int:
    """Prints the folders on one line."""
    unknown = [room for room in arguments if room not in TESTS]
    if unknown:
        print(f"There is no room {unknown[0]}; there are: {', '.join(TESTS)}.", file=sys.stderr)
        return 2
    folders = {"unit"} if arguments else set()
    for room in arguments or changed_rooms():
        folders.update(TESTS.get(room, (room,)))
    print(*(f"tests/{name}" for name in sorted(folders) if (ROOT / "tests" / name).is_dir()))
    return 0


def changed_rooms() -> set[str]:
    """The rooms of all files that differ from main or that git does not know."""
    base = git("merge-base", "HEAD", "main")
    names = [*git("diff", "--name-only", *base), *git("ls-files", "--others", "--exclude-standard")]
    return {room for name in names for room in rooms_of(Path(name).parts)}


def rooms_of(parts: tuple[str, ...]) -> list[str]:
    """The room of a file; the documents belong to `cli`, whose tests read them."""
    if parts[0] in ("tui_manager", "tests") and len(parts) > 2:
        return [] if parts[1] == "support" else [parts[1]]
    return [parts[0]] if parts[0] in TESTS else ["cli"]


def git(*arguments: str) -> list[str]:
    """The lines that git prints."""
    done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
