"""Hosts and their agents: what is known of them, what agents report, and what they are sent.

Which hosts a task runs on is in `targets/`. How a host stands in a task is in `tasks/`.
"""
