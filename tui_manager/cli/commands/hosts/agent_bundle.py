"""`tui-manager agent bundle`."""

import argparse

from platformdirs import user_cache_path
from tui_manager_protos.rules.files.agent_bundle import BundleError, Manifest, format_key, parse_key

from tui_manager.agent_bundle.build_bundle import build_bundle
from tui_manager.agent_bundle.default_bundle import default_bundle
from tui_manager.agent_bundle.opened_bundle import Bundle
from tui_manager.agent_bundle.problems import NotWrittenError
from tui_manager.agent_bundle.signing_key import (
    SigningKey,
    default_key_path,
    load_key,
    load_or_make_key,
)
from tui_manager.cli.options.values import file_path
from tui_manager.cli.printing.standard_streams import OutputError
from tui_manager.cli.printing.status_line import clear_status, show_status
from tui_manager.cli.printing.write_text import note, write
from tui_manager.domain.errors import InvalidInputError
from tui_manager.domain.text.safe_text import safe_text
from tui_manager.state_files import APP


def run_bundle(options: argparse.Namespace) -> int:
    """Makes a bundle and prints what it is.

    Raises:
        InvalidInputError: a key cannot be used.
        CannotBuildError: a bundle cannot be made here.
        StorageError: the file of a key cannot be used.
        OutputError: the bundle cannot be written.
    """
    trust = [public_key(text) for text in options.trust]
    file = file_path(options.file)
    key = signing_key(options.key)
    try:
        manifest = build_bundle(file, key, trust)
    except NotWrittenError as error:
        raise OutputError(str(error)) from error
    write(safe_text(f"{file}: {_description(manifest, file.stat().st_size)}") + "\n")
    write(f"signed with {key.public}\n")
    return 0


def own_bundle() -> Bundle:
    """The bundle of the agent that is installed here, signed with the default key. It is kept in
    the operator's cache, and made if it is not there.

    Raises:
        CannotBuildError: a bundle cannot be made here.
        StorageError: the key cannot be used.
        OutputError: the cache cannot be written.
    """
    key = signing_key(None)
    show_status(lambda: "checking the bundle of the agent that is installed here", at_once=True)
    try:
        return default_bundle(user_cache_path(APP) / "bundles", key, _say_that_it_is_made)
    except NotWrittenError as error:
        raise OutputError(str(error)) from error
    finally:
        clear_status()


def _say_that_it_is_made() -> None:
    note("a bundle of the agent is made, once; this takes about half a minute")
    show_status(lambda: "making a bundle of the agent that is installed here", at_once=True)


def signing_key(path: str | None) -> SigningKey:
    """The key in a file, or the default one, which is made and announced if it is missing.

    Raises:
        InvalidInputError: there is none in the file. StorageError: the file cannot be used.
    """
    if path is not None:
        return load_key(file_path(path))
    key = load_or_make_key(default_key_path())
    if key.is_new:
        note(
            f"made the key {key.path}, which signs your bundles. Hosts accept updates that are "
            "signed with it: keep a copy, and keep it secret"
        )
    return key


def public_key(text: str) -> str:
    """The public key of an option `--trust`. Raises InvalidInputError."""
    try:
        return format_key(parse_key(text))
    except BundleError as error:
        raise InvalidInputError("trust", f"--trust {text}: {error}") from error


def _description(manifest: Manifest, size: int) -> str:
    return (
        f"tui-manager-agent {manifest.version}, build {manifest.build}, for {manifest.system} "
        f"{manifest.arch} with {manifest.libc} or later, Python {manifest.python}, "
        f"{size / 1e6:.1f} MB"
    )
