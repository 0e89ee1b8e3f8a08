"""Executions in the memory of the agent: which wait, which run, how each ends, what is reported.

What is on disk is in `journal/`. What runs the commands is in `supervisor/`. The stream over which
reports are sent is in `link/`.
"""
