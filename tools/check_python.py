"""Says what a machine lacks before `make setup` fails on it; runs on any Python 3."""

import importlib.util
import shutil
import subprocess
import sys

OLDEST = (3, 11)


def how_to_install(package_of):
    """The exact command for this system's package manager, as a sentence."""
    for tool, command in (
        ("apt-get", "apt-get install {}"),
        ("dnf", "dnf install {}"),
        ("apk", "apk add {}"),
        ("pacman", "pacman -S {}"),
        ("zypper", "zypper install {}"),
        ("brew", "brew install {}"),
    ):
        if shutil.which(tool):
            return "Install it with: " + command.format(package_of(tool))
    return "Install a Python 3.11 or newer that has it"


def venv_package(tool):
    """The package that holds the venv module for this very Python."""
    version = "{}.{}".format(*sys.version_info[:2])
    return {"apt-get": "python{}-venv".format(version), "brew": "python"}.get(tool, "python3")


def main():
    if sys.version_info[:2] < OLDEST:
        print(
            "tui-manager needs Python 3.11 or newer; {} is {}.{}. {}, or name one: make PYTHON=...".format(
                sys.executable,
                sys.version_info[0],
                sys.version_info[1],
                how_to_install(lambda tool: "python3.11" if tool != "brew" else "python"),
            ),
            file=sys.stderr,
        )
        return 1
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        print(
            "This Python has no venv module. {}".format(how_to_install(venv_package)),
            file=sys.stderr,
        )
        return 1
    if subprocess.run([sys.executable, "-c", "import ssl, sqlite3"], check=False).returncode:
        print("This Python was built without ssl or sqlite3.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
