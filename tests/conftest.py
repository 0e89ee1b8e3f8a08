"""What holds for all tests."""

import pytest
from hypothesis import settings

# No test asserts on wall time, and so no example has a deadline.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_LONG = 80  # characters


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Names a long parameter by its argument. Each process that runs tests makes keys and
    certificates of its own, and all of them must give a test the same name."""
    if isinstance(val, bytes | str) and len(val) > _LONG:
        return argname
    return None
