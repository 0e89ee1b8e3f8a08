"""The small process for each command, which outlives the agent.

`launch.py` runs once for an agent and forks one of them for each order. Each page of memory that a
child changes is copied. So only small built-in modules are imported here, and nothing of the agent
outside this folder.
"""
