"""What a host, a task and a command host are: values, rules, the table of transitions, errors. No
I/O; rules that the agent applies too are in `tui_manager_protos.rules`."""
