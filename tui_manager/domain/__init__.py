"""What a task, a host and a command host are: values, rules, the table of transitions, errors, and
the bounds of what operators may ask for.

No I/O. Rules that the agent applies too are in `tui_manager_protos.rules`, limits that a setting
changes in `service/service_settings.py` and `service/limits.py`. Each package has a subject; beside
them is what all of them use.
"""
