"""Schedules: cron expressions, when they are due, and what becomes of each due time.

Three files, because a schedule is found under its own name. What it starts is a task file or a
command: `task_files/`, `task_spec/`.
"""
