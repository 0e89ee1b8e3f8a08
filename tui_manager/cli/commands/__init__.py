"""One file for each command of `tui-manager`. Each is imported only when it is called."""
