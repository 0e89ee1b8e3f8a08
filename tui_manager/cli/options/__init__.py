"""The options of each command, and their help. What the commands do is not here."""
