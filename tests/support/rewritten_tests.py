"""The test modules as pytest compiles them, with what its assertions say. On a new checkout each
process of a run would compile all of them at the same time. So each begins with a part of them, and
finds those of the others."""

from pathlib import Path

import pytest
from _pytest.assertion import rewrite

_TESTS = Path(__file__).parents[1]


def compile_share(config: pytest.Config) -> None:
    """Compiles the modules that are this process's part, unless they are compiled."""
    given = getattr(config, "workerinput", None)
    if given is None:
        return
    number, count = int(given["workerid"].removeprefix("gw")), given["workercount"]
    state = config.stash[rewrite.assertstate_key]
    for path in sorted(_TESTS.rglob("test_*.py"))[number % count :: count]:
        folder = rewrite.get_cache_dir(path)
        compiled = folder / f"{path.stem}{rewrite.PYC_TAIL}"
        if rewrite._read_pyc(path, compiled) is None and rewrite.try_makedirs(folder):
            stat, code = rewrite._rewrite_test(path, config)
            rewrite._write_pyc(state, code, stat, compiled)
