"""Which commands are sent to which hosts, and when. `TaskDispatcher` hands them to the agents.
Whether a host may get a command now is in `dispatch_loop.py`.

What agents answer is in `reports/`.
"""
