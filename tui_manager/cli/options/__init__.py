"""The command line: its options, its values and their errors. Here is what commands share, and the
options of short commands; those of tasks and of hosts have packages. What a command does is in
`commands`."""
