"""What is said between this agent and its manager: the enrolment, and one stream after the other.

What the messages do to executions is in `executions/`.
"""
