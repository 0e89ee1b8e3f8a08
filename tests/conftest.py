"""What holds for all tests."""

from hypothesis import settings

# No test asserts on wall time, and so no example has a deadline.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
