"""Tasks, commands and command hosts as they are stored: which changes of a status are allowed, and
what may begin next.

What an operator asks for is in `task_spec/`. The statuses and reasons are in `status.py` above.
"""
