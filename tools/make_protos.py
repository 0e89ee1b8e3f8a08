"""Generates the Python code of the .proto files, or checks that the committed code is current.

Generation runs from the root of the proto tree, so that the generated imports need no repair.
"""

import argparse
import filecmp
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

PACKAGE = "tui_manager_protos"


def generate(root: Path, out: Path) -> None:
    """Writes the generated code of every .proto below `root` to the same places below `out`."""
    sources = sorted(str(path.relative_to(root)) for path in root.glob(f"{PACKAGE}/**/*.proto"))
    google = files("grpc_tools") / "_proto"
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={root}",
            f"--proto_path={google}",
            f"--plugin=protoc-gen-mypy={Path(sys.executable).with_name('protoc-gen-mypy')}",
            f"--plugin=protoc-gen-mypy_grpc={Path(sys.executable).with_name('protoc-gen-mypy_grpc')}",
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            f"--mypy_out=quiet:{out}",
            f"--mypy_grpc_out=quiet:{out}",
            *sources,
        ]
    )
    if status:
        raise SystemExit(f"protoc failed with status {status}")


def check(root: Path) -> int:
    """0 when the committed code equals what the .proto files make now."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(root, fresh)
        stale = [
            str(path.relative_to(fresh))
            for path in sorted(fresh.rglob("*.py*"))
            if not (root / path.relative_to(fresh)).exists()
            or not filecmp.cmp(path, root / path.relative_to(fresh), shallow=False)
        ]
    if stale:
        sys.stderr.write(
            f"Not what the .proto files make (run `make protos`): {', '.join(stale)}\n"
        )
    return 1 if stale else 0


def main() -> int:
    """Runs from the command line; the exit status is 1 when --check finds stale code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="the root of the proto tree")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    if arguments.check:
        return check(root)
    generate(root, root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
