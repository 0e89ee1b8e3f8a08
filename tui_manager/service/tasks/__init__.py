"""What operators do with tasks: create, start, cancel, list; and when old tasks are removed.

What agents report is in `reports/`; how commands reach agents is in `dispatch/`.
"""
