"""Prints the test folders and files that a change needs: those of what differs from main.

With the name of a package, e.g. `service`, it prints the folders of that package; with that of a
room of the screen or of the agent, e.g. `ui/forms`, the test files that name a module of it. The
tests of these two are many and slow, so a change in the agent needs only the files of its rooms,
and a change in the screen, where each test starts the whole app, only those that name its modules.
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
# For each package its own tests, and those of the packages that call it and answer within seconds.
# The programs as a whole (tests/e2e, tests/faults) are left to `make test`.
TESTS = {
    "domain": ("unit", "storage", "service", "cli"),
    "storage": ("storage", "service", "cli/manager"),
    "security": ("security", "service"),
    "service": ("service", "transport"),
    "transport": ("transport",),
    "operator": ("operator", "cli"),
    "ui": ("ui",),
    "cli": ("cli",),
    "agent": ("agent",),
    "protos": ("rules", "transport", "operator"),
    "bench": ("bench",),
}
# Packages of which a change needs only the tests of its rooms, and where their modules are.
ROOMS = {"ui": "tui_manager/ui", "agent": "agent/tui_manager_agent"}


def main(arguments: list[str]) -> int:
    """Prints the folders and files on one line."""
    unknown = [name for name in arguments if name not in TESTS and not is_room(name)]
    if unknown:
        known = [*TESTS, *(f"{package}/ROOM" for package in ROOMS)]
        print(f"There is no package {unknown[0]}; there are: {', '.join(known)}.", file=sys.stderr)
        return 2
    names = [] if arguments else changed_names()
    packages = {package for name in names for package in packages_of(Path(name).parts)}
    rooms = [name for name in arguments if is_room(name)]
    packages.update(name for name in arguments if name in TESTS)
    folders = {folder for package in packages for folder in TESTS.get(package, (package,))}
    if packages and arguments:
        folders.add("unit")
    found = {f"tests/{name}" for name in folders if (ROOT / "tests" / name).is_dir()}
    for package, modules in ROOMS.items():
        if f"tests/{package}" in found and (files := tests_of_modules(package, modules, names)):
            found = found - {f"tests/{package}"} | set(files)
    for room in rooms:
        package, _, name = room.partition("/")
        if f"tests/{package}" not in found:
            found.update(naming(package, [f"{ROOMS[package]}/{name}/"]))
    print(*sorted(found))
    return 0


def is_room(name: str) -> bool:
    """Whether it is a folder of the screen or of the agent, such as `ui/forms`."""
    package, _, room = name.partition("/")
    return bool(room) and package in ROOMS and (ROOT / ROOMS[package] / room).is_dir()


def changed_names() -> list[str]:
    """All files that differ from main or that git does not know."""
    base = git("merge-base", "HEAD", "main")
    return [*git("diff", "--name-only", *base), *git("ls-files", "--others", "--exclude-standard")]


def tests_of_modules(package: str, modules: str, names: Iterable[str]) -> list[str]:
    """The test files of a package that changed, or that name what changed; none: all are needed,
    as no file names it.

    Args:
        modules: the folder of the package.
    """
    tests = f"tests/{package}/"
    found: set[str] = set()
    for name in names:
        if name.startswith(tests):
            files = [name] if (ROOT / name).exists() else []
        elif name.startswith(f"{modules}/"):
            room, slash, _ = name.removeprefix(f"{modules}/").partition("/")
            whole_room = slash and package != "ui"
            files = naming(package, [f"{modules}/{room}/" if whole_room else name])
        else:
            continue
        if not files and (ROOT / name).exists():
            return []
        found.update(files)
    return sorted(found)


def naming(package: str, paths: Iterable[str]) -> list[str]:
    """The test files of a package that import one of these modules, or a module of these folders,
    which end with `/`."""
    modules = [path.removesuffix(".py").removeprefix("agent/").strip("/") for path in paths]
    imports = re.compile("|".join(rf"^from {name}\b" for name in modules).replace("/", r"\."), re.M)
    return [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests" / package).rglob("test_*.py"))
        if imports.search(path.read_text())
    ]


def packages_of(parts: tuple[str, ...]) -> list[str]:
    """The package of a file; the documents belong to `cli`, whose tests read them."""
    if parts[0] in ("tui_manager", "tests") and len(parts) > 2:
        return [] if parts[1] == "support" else [parts[1]]
    return [parts[0]] if parts[0] in TESTS else ["cli"]


def git(*arguments: str) -> list[str]:
    """The lines that git prints."""
    done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
