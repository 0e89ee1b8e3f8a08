"""What outlives the agent: one small process for each command.

`launch.py` runs once for an agent and forks one of them for each order. A child pays for every page
that it changes, so that nothing but cheap built-in modules is imported here, and of the agent
nothing outside this folder.
"""
