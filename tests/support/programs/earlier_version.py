"""The programs of an earlier version, from the history of this repository."""

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs.warm_programs import WARM_PATHS

_ROOT = Path(__file__).parents[3]
_PARTS = ("agent", "protos", "tui_manager")


@dataclass(frozen=True, slots=True)
class EarlierVersion:
    """A version that was released.

    Attributes:
        commit: the last one that has it.
    """

    number: str
    commit: str

    def unpack(self, folder: Path) -> str:
        """Puts it into a folder. Returns the value of PYTHONPATH with which the installed programs
        are those of this version, on the packages of others that are installed.

        Raises:
            LookupError: the history has no such commit, as in a shallow clone.
        """
        archive = subprocess.run(
            ["git", "archive", self.commit, *_PARTS], cwd=_ROOT, capture_output=True, check=False
        )
        if archive.returncode:
            raise LookupError(archive.stderr.decode(errors="replace").strip())
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extraction_filter = getattr(tarfile, "data_filter", None)  # none before 3.11.4
            files.extractall(folder)
        path = ":".join(str(folder / part) for part in ("agent", "protos", "."))
        WARM_PATHS.add(path)
        return path


V0_1_0 = EarlierVersion("0.1.0", "1dbe6515ac90d5c36e30e252c73e73d19e79d329")
