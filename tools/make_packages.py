"""Makes the packages of the agent for Debian (deb) and Red Hat (rpm), with nfpm, without a network.

They have the contents of an agent's bundle: its own Python, so they need nothing but the C library.
With the same bundle and the same sources, each file is the same byte for byte.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import make_dist
import make_man_pages
from tui_manager_protos.rules.files.agent_bundle import Manifest, read_head
from tui_manager_protos.rules.files.agent_bundle_contents import unpack

from tui_manager.agent_bundle.build_bundle import build_bundle
from tui_manager.agent_bundle.opened_bundle import open_bundle
from tui_manager.agent_bundle.signing_key import load_or_make_key
from tui_manager.domain.errors import ManagerError

ROOT = make_dist.ROOT
KINDS = ("deb", "rpm")
_NAME = "tui-manager-agent"
_PROGRAM = f"/usr/bin/{_NAME}"
_PROGRAM_FOLDER = f"/usr/lib/{_NAME}"
_SHARE = ROOT / "agent" / "tui_manager_agent" / "share"
_UNIT = f"{_NAME}.service"
_PROGRAM_IN_UNITS = f"/usr/local/bin/{_NAME}"
_SETTINGS = ROOT / "packaging" / "agent" / f"{_NAME}.env"
_SCRIPTS = {
    "postinstall": "after-install.sh",
    "preremove": "before-remove.sh",
    "postremove": "after-remove.sh",
}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as nfpm names them
_DESCRIPTION = """\
Agent of tui-manager: runs commands for its manager
It connects to a manager, runs the commands that it is given, and keeps every
result until the manager has it. It brings its own Python."""


def make(
    out: Path,
    bundle: Path | None,
    release: str,
    kinds: Sequence[str] = KINDS,
    *,
    compress: bool = True,
) -> None:
    """Makes packages in a folder, which is made.

    Args:
        bundle: the file that they are made of; None: one is made of the agent that is installed.
        release: tells packages of one version apart; a higher one is newer.
        compress: False: the package for Debian is three times as large, and made at once.
    """
    os.environ.setdefault("SOURCE_DATE_EPOCH", make_dist.time_of_sources())
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if bundle is None:
            bundle = folder / "agent.bundle"
            build_bundle(bundle, load_or_make_key(folder / "a.key"))  # packages need no signature
        manifest = _unpack(bundle, folder / "agent")
        for kind in kinds:
            config = folder / f"{kind}.json"  # nfpm reads YAML, and JSON is a part of that
            settings = _config(kind, folder, manifest, release)
            if not compress:
                settings["deb"] = {"compression": "none"}
            config.write_text(json.dumps(settings))
            subprocess.run(
                [_nfpm(), "package", "--packager", kind, "--config", config, "--target", out],
                check=True,
                stdout=subprocess.DEVNULL,
            )


def _unpack(bundle: Path, folder: Path) -> Manifest:
    """Unpacks what a package has of a bundle. The rest is for a folder of versions."""
    open_bundle(bundle)  # checks it
    with bundle.open("rb") as file:
        head = read_head(file)
        unpack(file, head, folder)
    for path in (folder / "share").iterdir():
        if path.name != "licenses":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    moment = int(os.environ["SOURCE_DATE_EPOCH"])
    for path in folder.rglob("*"):
        os.utime(path, (moment, moment))
    return head.manifest


def _config(kind: str, folder: Path, manifest: Manifest, release: str) -> dict[str, object]:
    """What nfpm is told; puts the files that are not of the bundle into the folder."""
    glibc = manifest.libc.removeprefix("glibc ")
    needed = {
        "deb": [f"libc6 (>= {glibc})"],
        "rpm": [f"libc.so.6(GLIBC_{glibc})(64bit)", "/bin/sh"],
    }
    scripts = {when: str(ROOT / "packaging" / "agent" / name) for when, name in _SCRIPTS.items()}
    moment = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    return {
        "name": _NAME,
        "version": manifest.version,
        "release": release,
        "arch": _ARCHITECTURES[manifest.arch],
        "platform": "linux",
        "section": "admin",
        "priority": "optional",
        "maintainer": "The tui-manager project",
        "description": _DESCRIPTION,
        "license": "Apache-2.0",
        "depends": needed[kind],
        "scripts": scripts,
        "mtime": moment.isoformat(),
        "rpm": {"group": "System/Management", "buildhost": "localhost"},
        "contents": _contents(kind, folder),
    }


def _contents(kind: str, folder: Path) -> list[dict[str, object]]:
    made = folder / kind
    make_man_pages.make(made / "man1")
    page = made / f"{_NAME}.1.gz"
    page.write_bytes(_gzip((made / "man1" / f"{_NAME}.1").read_bytes()))
    (made / "packaged").write_text(f"{kind}\n")
    licence = {
        "deb": {"dst": f"/usr/share/doc/{_NAME}/copyright"},
        "rpm": {"dst": f"/usr/share/licenses/{_NAME}/LICENSE", "type": "license"},
    }
    return [
        {"src": str(folder / "agent"), "dst": _PROGRAM_FOLDER, "type": "tree"},
        _file(made / "packaged", f"{_PROGRAM_FOLDER}/packaged"),
        {"src": f"..{_PROGRAM_FOLDER.removeprefix('/usr')}/bin/{_NAME}", "dst": _PROGRAM}
        | {"type": "symlink"},
        _file(_unit(_SHARE / _UNIT, made / "system"), f"/usr/lib/systemd/system/{_UNIT}"),
        _file(_unit(_SHARE / "user" / _UNIT, made / "user"), f"/usr/lib/systemd/user/{_UNIT}"),
        _file(_SETTINGS, f"/etc/{_NAME}.env", mode=0o600) | {"type": "config|noreplace"},
        _file(page, f"/usr/share/man/man1/{page.name}"),
        _file(ROOT / "LICENSE", "") | licence[kind],
    ]


def _file(source: Path, to: str, *, mode: int = 0o644) -> dict[str, object]:
    return {"src": str(source), "dst": to, "file_info": {"mode": mode}}


def _unit(source: Path, made: Path) -> Path:
    """A unit that starts the program where the package has it."""
    made.write_text(source.read_text().replace(_PROGRAM_IN_UNITS, _PROGRAM))
    return made


def _gzip(data: bytes) -> bytes:
    return subprocess.run(["gzip", "-9n"], input=data, capture_output=True, check=True).stdout


def _nfpm() -> str:
    beside = Path(sys.executable).with_name("nfpm")
    found = str(beside) if beside.exists() else shutil.which("nfpm")
    if not found:
        raise SystemExit("nfpm is not installed: see https://nfpm.goreleaser.com")
    return found


def main() -> int:
    """Runs from the command line and prints the files."""
    parser = argparse.ArgumentParser(description="Make the agent's packages, deb and rpm.")
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "dist")
    parser.add_argument("--bundle", type=Path, help="the bundle that they are made of")
    parser.add_argument("--release", default="1", help="tells packages of one version apart")
    parser.add_argument("--only", choices=KINDS, help="make this one only")
    parser.add_argument(
        "--uncompressed", action="store_true", help="do not compress the one for Debian, for a test"
    )
    options = parser.parse_args()
    kinds = (options.only,) if options.only else KINDS
    try:
        compress = not options.uncompressed
        make(options.folder, options.bundle, options.release, kinds, compress=compress)
    except ManagerError as error:  # of the bundle
        parser.error(str(error))
    for kind in kinds:
        for path in sorted(options.folder.glob(f"{_NAME}*-{options.release}[._]*{kind}")):
            sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
