"""Which commands are sent to which hosts, and when. `TaskDispatcher` is the door to the agents.

What agents answer is in `reports/`.
"""
