"""The messages between this agent and its manager: the enrolment, and the streams.

What the messages do to executions is in `executions/`.
"""
