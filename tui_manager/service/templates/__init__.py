"""Templates: task files that operators save under a name.

How a task is made from one is the caller's part: it reads the text, fills in the parameters and
creates the task.
"""
