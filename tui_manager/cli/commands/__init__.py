"""What each command does. A file for each command, however short; `main` imports only the one that
runs. Options are in `options`."""
