"""Documents of tasks."""
