"""What survives a full collection is set aside, and looked at again after a while.

Each test has a process of its own: a full collection in a process of a run of tests takes half a
second, as it looks at all tests.
"""

import subprocess
import sys

import pytest

from tests.unit import garbage_collection_cases

_RUN = "import gc; from {module} import {name}; gc.collect(); gc.disable(); {name}()"


@pytest.mark.parametrize(
    "name",
    [
        "what_survives_a_long_full_collection_is_set_aside",
        "what_survives_a_short_one_is_not",
        "a_cycle_that_ends_after_it_was_set_aside_goes_when_everything_is_looked_at",
        "everything_is_not_looked_at_again_at_once",
        "afterwards_all_is_as_before",
        "collections_are_rarer_and_then_as_before",
    ],
    ids=str,
)
def test_it_in_a_process_of_its_own(name: str) -> None:
    code = _RUN.format(module=garbage_collection_cases.__name__, name=name)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
