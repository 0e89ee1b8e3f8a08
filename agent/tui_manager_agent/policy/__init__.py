"""The owner's policy: where its file is, as which users commands may run, which commands, scripts
and files it allows.

`policy_file.py` decides: it knows the policy, the user and the time. `executions/` handles a
refused command, and `executions/log_executions.py` logs it, like each end of a command.
"""
