"""What agents report of executions, and what that changes in the database."""
