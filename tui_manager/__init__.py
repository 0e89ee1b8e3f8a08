"""tui-manager: a terminal dashboard that runs commands on a fleet."""

__version__ = "0.2.0"
