"""The options of commands about tasks, templates and schedules, and the tasks and schedules that
they describe."""
