"""The command line: its options, its values and their errors. What a command does is in
`commands`."""
