"""What is done to a whole database: backup, check, pruning."""
