"""What each command does. A file for each command, however short; `main` imports only the one that
runs. Here are those that start a manager or need none; the others are in the package of their
subject. Options are in `options`."""
