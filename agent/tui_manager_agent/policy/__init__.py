"""The owner's policy: where its file is, as which users commands may run, which commands, scripts
and files it allows.

What is done with a command that it refuses is in `executions/`, and `executions/held_executions.py`
logs it, like each end of a command.
"""
