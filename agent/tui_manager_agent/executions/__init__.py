"""Executions in the memory of the agent: who waits, who runs, how each ends.

What lies on disk is in `journal/`. What runs the commands is in `supervisor/`.
"""
