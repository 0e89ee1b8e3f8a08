"""Lists of tasks: those of the dashboard, and the screen of all tasks."""
