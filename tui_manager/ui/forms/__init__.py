"""Forms and questions: new task, join token, confirmation."""
