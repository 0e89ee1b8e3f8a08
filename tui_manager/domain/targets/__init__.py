"""The TARGET of a task: its notation, the hosts that it matches, its completion while it is typed;
and the errors about hosts that it names, such as one in maintenance (`target.py`).

The names of hosts, `web[01-20]`, are read in `text/host_name_ranges.py`.
"""
