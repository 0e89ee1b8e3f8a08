"""The options of `agent install` and of `agent uninstall`."""

import argparse
from pathlib import Path

from tui_manager.cli.options.parser import add_json, number
from tui_manager.cli.options.values import file_path

PARALLEL = 20
PARALLEL_MAX = 200
SSH_EXIT_CODES = (
    "exit status: 0 done on all hosts; 1 not on some; 2 wrong usage; 3 no manager answers; 130 "
    "interrupted"
)


def add_install_options(install: argparse.ArgumentParser) -> None:
    """The options of `agent install`."""
    _add_ssh_options(install)
    install.add_argument(
        "--manager",
        metavar="HOST:PORT[,HOST:PORT…]",
        help="where hosts reach the manager (default: the address that `token create` proposes)",
    )
    install.add_argument(
        "--name",
        help="name of the host, if it is only one (default: as it was typed, without user and "
        "domain)",
    )
    install.add_argument(
        "--label",
        metavar="K=V",
        action="append",
        help="a label that these hosts get, or another value for it; other labels stay; may be "
        "repeated",
    )
    install.add_argument(
        "--bundle",
        metavar="FILE",
        action="append",
        type=_path,
        default=[],
        help="the bundle to install; may be repeated, for several architectures (default: it is "
        "made of what is installed here)",
    )
    install.add_argument(
        "--trust",
        metavar="KEY",
        action="append",
        default=[],
        help="a public key that may have signed --bundle instead of your own, such as "
        "ed25519:MCow…; may be repeated",
    )
    install.add_argument(
        "--dry-run",
        action="store_true",
        help="only look at the hosts, and print what would be done there; no bundle is made",
    )
    add_json(install)


def add_uninstall_options(uninstall: argparse.ArgumentParser) -> None:
    """The options of `agent uninstall`."""
    _add_ssh_options(uninstall)
    uninstall.add_argument(
        "--force",
        action="store_true",
        help="also while commands run there; they go on, and their results are lost",
    )
    uninstall.add_argument(
        "--keep-host",
        action="store_true",
        help="let the manager keep the hosts in its list, as offline; `hosts remove` takes them "
        "out, and only then their names are free for another install",
    )
    add_json(uninstall)


def _add_ssh_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ssh",
        action="store_true",
        required=True,
        help="required: reach the hosts with your ssh, which is the only way so far",
    )
    parser.add_argument(
        "names",
        metavar="[USER@]HOSTS",
        nargs="+",
        help="hosts as ssh knows them, several as root@web[01-20]; - reads them from stdin",
    )
    parser.add_argument("--become", action="store_true", help="act as root there, with sudo")
    parser.add_argument(
        "--ask-become-password",
        action="store_true",
        help="ask once for the password that sudo wants there; with --become",
    )
    parser.add_argument(
        "--parallel",
        metavar="N",
        type=_parallel,
        default=PARALLEL,
        help="number of hosts at a time (default %(default)s)",
    )
    parser.add_argument(
        "--ssh-config",
        metavar="FILE",
        type=_path,
        help="another configuration for ssh than your own",
    )


def _parallel(text: str) -> int:
    return number(text, 1, PARALLEL_MAX, f"a number from 1 to {PARALLEL_MAX}")


def _path(text: str) -> Path:
    return file_path(text)
