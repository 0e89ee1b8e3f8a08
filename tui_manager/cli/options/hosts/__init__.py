"""The options of commands about hosts, their agents and join tokens."""
