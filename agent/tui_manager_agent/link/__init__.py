"""The stream to the manager: dial, Hello, reports, and how it ends.

What the manager asks for is carried out in `executions/`.
"""
