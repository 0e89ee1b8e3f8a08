"""The small process for each command, which outlives the agent.

`launch.py` runs once for an agent and forks one of them for each order. A child pays for every page
that it changes. So only cheap built-in modules are imported here, and of the agent nothing outside
this folder.
"""
