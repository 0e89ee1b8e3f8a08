"""Forms and questions: new task, join token, confirmation. Saving output is in `output`."""
