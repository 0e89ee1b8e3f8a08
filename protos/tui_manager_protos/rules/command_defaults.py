"""The limits of a command for which none were given. A file of its own: the manager shows them and
sends them, and an agent applies them to a request that lacks them."""

from datetime import timedelta

TIMEOUT = timedelta(hours=1)
KILL_GRACE = timedelta(seconds=10)  # between SIGTERM and SIGKILL
OUTPUT_LIMIT = 16 * 1024 * 1024  # bytes that are kept of one command on one host
