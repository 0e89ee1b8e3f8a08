"""Completion in bash, zsh and fish: what each argument names, what the manager has of it, and how a
shell asks for it. What the program's commands do is in `commands/`."""
