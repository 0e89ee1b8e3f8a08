"""Rollouts: which hosts of a running task may begin now.

What is sent to them is in `dispatch/`, the decision itself in `domain/tasks/rollout_decision.py`.
Triggers of the database count the hosts that have failed, wait or are under way;
`storage/tables/tasks/rollouts.py` reads them.
"""
