"""Version 1 of the wire, package `tui_manager.v1`."""
