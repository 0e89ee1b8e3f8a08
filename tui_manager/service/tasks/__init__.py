"""What operators do with tasks: create, start, cancel, look.

What agents report is in `reports/`; how commands reach agents is in `dispatch/`.
"""
