"""Prints the test folders that a change needs: those of the packages that differ from main.

With the name of a package, e.g. `ui`, it prints the folders of that package. Each test of `ui`
starts the whole app, and so a change there needs only the files of tests/ui that name a changed
module.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# For each package its own tests, and those of the packages that call it and answer within seconds.
# The programs as a whole (tests/e2e, tests/faults) are left to `make test`.
TESTS = {
    "domain": ("unit", "storage", "service", "cli"),
    "storage": ("storage", "service"),
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


def main(arguments: list[str]) -> int:
    """Prints the folders and files on one line."""
    unknown = [package for package in arguments if package not in TESTS]
    if unknown:
        print(f"There is no package {unknown[0]}; there are: {', '.join(TESTS)}.", file=sys.stderr)
        return 2
    names = [] if arguments else changed_names()
    folders = {"unit"} if arguments else set()
    for package in arguments or {
        package for name in names for package in packages_of(Path(name).parts)
    }:
        folders.update(TESTS.get(package, (package,)))
    found = [f"tests/{name}" for name in sorted(folders) if (ROOT / "tests" / name).is_dir()]
    if "tests/ui" in found and (files := ui_tests(names)):
        found = [name for name in found if name != "tests/ui"] + files
    print(*found)
    return 0


def changed_names() -> list[str]:
    """All files that differ from main or that git does not know."""
    base = git("merge-base", "HEAD", "main")
    return [*git("diff", "--name-only", *base), *git("ls-files", "--others", "--exclude-standard")]


def ui_tests(names: list[str]) -> list[str]:
    """The files of tests/ui that changed or name a changed module of the screen; none: all are
    needed, as what changed is no module, or is not named by any."""
    own = [name for name in names if name.startswith(("tui_manager/ui/", "tests/ui/"))]
    texts = {path: path.read_text() for path in sorted((ROOT / "tests" / "ui").glob("test_*.py"))}
    found: set[str] = set()
    for name in own:
        module = name.removesuffix(".py").replace("/", ".")
        named = {
            str(path.relative_to(ROOT))
            for path, text in texts.items()
            if path == ROOT / name or f"from {module} import" in text
        }
        if not named and (ROOT / name).exists():
            return []
        found |= named
    return sorted(found)


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
