"""Which commands are sent to which hosts, and when. `TaskDispatcher` hands them to the agents.

What agents answer is in `reports/`.
"""
