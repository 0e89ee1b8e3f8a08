"""The owner's policy: where its file is, what it allows, as which users commands may run.

What is done with a command that it refuses is in `executions/`.
"""
