"""Rollouts: which hosts of a running task may begin now.

What is sent to them is in `dispatch/`, the decision itself in `domain/rollout_decision.py`.
"""
