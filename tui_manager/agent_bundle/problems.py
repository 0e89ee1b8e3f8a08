"""Why a bundle cannot be made; each error is written for the operator. A file of its own, because
all modules here raise it."""

from tui_manager.domain.errors import ManagerError


class CannotBuildError(ManagerError):
    """This machine, or what is installed on it, does not allow to make a bundle."""


class NotWrittenError(ManagerError):
    """A bundle cannot be written; there is no file, or the former one, under its name."""


def missing_tool(name: str) -> CannotBuildError:
    """The error when what the extra `bundle` brings is missing."""
    return CannotBuildError(
        f"{name} is not installed. It is needed to make bundles; install tui-manager[bundle]."
    )
