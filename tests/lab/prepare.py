"""Installs what the hosts of tests/lab need, and makes the root that they share: `make lab`. It
also fetches other programs that tests drive: zsh and fish for completion, Prometheus for metrics.

The root is a minimal Debian without Python, with OpenSSH, sudo, cron and systemd. It is made once
by mmdebstrap, from the package sources of this machine, and kept in a folder outside of the
checkout. This needs root and a Debian. Elsewhere it changes nothing, and the tests say what is
missing.

It needs the standard library only, so that it runs before `make setup`.
"""

import fcntl
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Programs of this machine that tests/lab uses, and the package of each.
PROGRAMS = {
    "ip": "iproute2",
    "mount": "mount",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "unshare": "util-linux",
}
# Programs that make the root, and the package of each.
BUILDERS = {"mmdebstrap": "mmdebstrap"}
# Shells whose completion is tested, and the package of each.
SHELLS = {"fish": "fish", "zsh": "zsh"}
# Programs that are only unpacked, because their package would start a service. See `find_program`.
UNPACKED = {"prometheus": "prometheus", "promtool": "prometheus"}
# What the root has beyond the essential packages.
PACKAGES = ("cron", "dbus", "iproute2", "libpam-systemd", "openssh-server", "sudo", "systemd-sysv")
_SSHD = """\
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
UseDNS no
MaxStartups 200
MaxSessions 100
Subsystem sftp internal-sftp
"""
# What is done in the root at its end. `admin` may use sudo without a password, `plain` may not.
_SCRIPT = """\
set -e
root=$1
chroot "$root" useradd --create-home --shell /bin/bash admin
chroot "$root" useradd --create-home --shell /bin/sh plain
echo 'admin ALL=(ALL:ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/admin"
chmod 0440 "$root/etc/sudoers.d/admin"
rm -f "$root"/etc/ssh/ssh_host_*_key "$root"/etc/ssh/ssh_host_*_key.pub
rm -f "$root/etc/hostname" "$root/etc/resolv.conf" "$root"/etc/cron.daily/*
cat > "$root/etc/ssh/sshd_config"
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \\
    fstrim.timer getty.target e2scrub_reap.service systemd-networkd-wait-online.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
if find "$root" -xdev -name 'python3*' -not -path '*/doc/*' | grep . ; then
    echo "The root has Python." >&2
    exit 1
fi
"""
_RECIPE = "\n".join((*PACKAGES, _SSHD, _SCRIPT))
_BUILD_SECONDS = 600
_MEMORY = 3_000_000  # kB; the disks of the hosts are in memory


class LabError(Exception):
    """The lab cannot be prepared; the text says why."""


def root_folder() -> Path:
    """Where the root of the hosts is kept; another one for another system or recipe."""
    recipe = hashlib.sha256(_RECIPE.encode()).hexdigest()[:8]
    return _cache() / f"{_codename()}-{platform.machine()}-{recipe}"


def _cache() -> Path:
    """A folder of the user, outside of the checkout."""
    cache = os.environ.get("TUI_MANAGER_LAB_CACHE")
    return Path(cache or os.path.expanduser("~/.cache/tui-manager-lab"))


def find_program(name: str) -> str | None:
    """The path of a program of this machine, or of one that `make lab` has unpacked; None: it is
    neither."""
    return shutil.which(name) or shutil.which(name, path=_cache() / "programs" / "usr" / "bin")


def missing() -> str:
    """Why this machine can make no hosts, with what to do; empty: it can."""
    if sys.platform != "linux":
        return "hosts made of namespaces need Linux"
    if os.geteuid() != 0:
        return "hosts made of namespaces need root"
    if absent := [name for name in PROGRAMS if not shutil.which(name)]:
        return f"{', '.join(absent)} not found: run `make lab` as root on Debian"
    if not root_folder().is_dir():
        return "the root of the hosts is not there: run `make lab` as root on Debian"
    if _free_memory() < _MEMORY:
        return f"the disks of the hosts are in memory, and less than {_MEMORY} kB are free"
    tried = subprocess.run(_TRY, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if tried.returncode:
        said = tried.stderr.decode(errors="replace").strip().splitlines() or ["it failed"]
        return f"this machine allows no namespaces, bridges or overlays: {said[-1]}"
    return ""


# Everything that a lab needs of the kernel. It leaves nothing, as all of it is in namespaces.
_TRY = (
    *("unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--mount-proc"),
    *("sh", "-ec"),
    "mount -t tmpfs none /mnt; cd /mnt; mkdir low up work all; "
    "mount -t overlay -o lowerdir=low,upperdir=up,workdir=work none all; touch all/file; "
    "ip link add br0 type bridge; ip link add v0 type veth peer name v1",
)


def prepare() -> Path:
    """Installs what is missing and makes the root, if it is not there; where the root is.

    Raises:
        LabError: this machine cannot.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise LabError("it needs root on Linux")
    folder = root_folder()
    programs = PROGRAMS if folder.is_dir() else {**PROGRAMS, **BUILDERS}
    absent = sorted({package for name, package in programs.items() if not shutil.which(name)})
    if absent:
        _install(absent)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _make(folder)
    return folder


def _install(packages: list[str]) -> None:
    if not shutil.which("apt-get"):
        raise LabError(f"there is no apt-get; install {', '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    words = ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages)
    if _run(*words, environment=environment) != 0:  # the lists may be old, or not there
        _run("apt-get", "update", "--quiet", environment=environment)
        if _run(*words, environment=environment) != 0:
            raise LabError(f"apt-get cannot install {', '.join(packages)}")


def fetch_programs() -> None:
    """Installs the shells, and unpacks the other programs, unless they are there.

    Raises:
        LabError: this machine cannot.
    """
    if shells := sorted(package for name, package in SHELLS.items() if not find_program(name)):
        _install(shells)
    for package in sorted({UNPACKED[name] for name in UNPACKED if not find_program(name)}):
        folder = _cache() / "programs"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            if _run("apt-get", "download", "--quiet", package, folder=scratch) != 0:
                raise LabError(f"apt-get cannot download {package}")
            (archive,) = Path(scratch).glob("*.deb")
            if _run("dpkg-deb", "--extract", str(archive), str(folder)) != 0:
                raise LabError(f"{package} cannot be unpacked")


def _make(folder: Path) -> None:
    """Makes the root beside its place, and moves it there when it is whole."""
    sources = list(_sources())
    if not sources:
        _run("apt-get", "update", "--quiet")
        sources = list(_sources())
    if not sources:
        raise LabError("apt-get knows no source of Debian's own packages")
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    _remove_root(unfinished)
    customize = f"sh -c {shlex.quote(_SCRIPT)} sh \"$1\" <<'END'\n{_SSHD}END\n"
    options = [f"--aptopt={line}" for line in _apt_options()]
    code = _run(
        *("mmdebstrap", "--mode=root", "--variant=essential", "--skip=check/empty"),
        *(f"--include={','.join(PACKAGES)}", "--dpkgopt=force-unsafe-io"),
        *(*options, f"--customize-hook={customize}", _codename(), str(unfinished), "-"),
        stdin="\n".join(sources) + "\n",
    )
    if code != 0:
        _remove_root(unfinished)
        raise LabError("mmdebstrap failed")
    unfinished.rename(folder)


def _remove_root(folder: Path) -> None:
    """Removes what an earlier call has left. Nothing that is mounted in it is entered."""
    if folder.is_dir():
        subprocess.run(["rm", "--recursive", "--force", "--one-file-system", folder], check=True)


def _sources() -> Iterator[str]:
    """The sources of the distribution's own packages, each as a line of sources.list."""
    form = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    words = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    shown = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    for line in dict.fromkeys(shown.splitlines()):
        origin, codename, address, release, component = line.split("|")
        own = codename == _codename() or codename.startswith(f"{_codename()}-")
        if origin in ("Debian", "Ubuntu") and own and component in ("main", "universe"):
            yield f"deb {address} {release} {component}"


def _apt_options() -> Iterator[str]:
    """Settings of this machine's apt that say how packages are reached."""
    kept = ("Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until")
    words = ["apt-config", "dump"]
    shown = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    yield from (line for line in shown.splitlines() if line.startswith(kept))


def _free_memory() -> int:
    """In kB."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1])
    return 0


def _codename() -> str:
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME", "unknown")
    except OSError:
        return "unknown"


def _run(
    *words: str,
    environment: dict[str, str] | None = None,
    stdin: str = "",
    folder: str | None = None,
) -> int:
    """Runs a program for as long as it may take; its exit status."""
    try:
        done = subprocess.run(
            words,
            env=environment,
            input=stdin,
            text=True,
            check=False,
            timeout=_BUILD_SECONDS,
            cwd=folder,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{words[0]} took longer than {_BUILD_SECONDS} s") from error
    return done.returncode


def main() -> int:
    """Prepares, and says where the root is."""
    try:
        folder = prepare()
    except LabError as error:
        sys.stderr.write(f"The tests in tests/lab will skip: {error}.\n")
        return 1
    try:
        fetch_programs()
    except LabError as error:
        sys.stderr.write(f"The tests that need zsh, fish or Prometheus will skip: {error}.\n")
        return 1
    sys.stderr.write(f"The root of the hosts in tests/lab: {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
