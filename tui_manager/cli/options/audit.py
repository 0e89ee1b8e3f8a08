"""The options of `audit`."""

import argparse

from tui_manager.cli.options.parser import add_json, number

LIMIT_DEFAULT = 100
_LIMIT_MAX = 1_000_000


def add_audit_options(audit: argparse.ArgumentParser) -> None:
    """Which part of the audit is wanted."""
    audit.add_argument(
        "--limit",
        metavar="N",
        type=_limit,
        default=LIMIT_DEFAULT,
        help="only the newest N that match (default %(default)s)",
    )
    audit.add_argument(
        "--text",
        metavar="TEXT",
        default="",
        help="only what has this in who, what, host or detail; #12 is task 12",
    )
    add_json(audit)


def _limit(text: str) -> int:
    return number(text, 1, _LIMIT_MAX, f"a number from 1 to {_LIMIT_MAX:,}")
