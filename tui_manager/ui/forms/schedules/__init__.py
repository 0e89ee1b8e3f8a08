"""The form of a schedule, and the form of a task file or template with parameters."""
