"""What the agent keeps on disk of its executions, until the manager has acknowledged it."""
