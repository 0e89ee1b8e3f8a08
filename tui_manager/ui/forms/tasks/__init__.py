"""What all forms that make a task share, the form of a task file, the plan, and the form that runs
a task again."""
