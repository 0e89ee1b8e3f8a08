"""The tables of tasks, their commands and command hosts, with what belongs to them: contents,
output, secrets, rollouts. The bytes of copied files are in `files`."""
