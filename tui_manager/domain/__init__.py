"""What a host, a task and a command host are: values, rules, the table of transitions, errors, and
the bounds of what operators may ask for. No I/O; rules that the agent applies too are in
`tui_manager_protos.rules`, limits that a setting changes in `service/limits.py`."""
