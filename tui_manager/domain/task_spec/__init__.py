"""What an operator asks for: a task, its steps and its rollout before they start, and what is
checked.

What becomes of a task that is stored is in `tasks/`; how one is written as TOML in `task_files/`.
"""
