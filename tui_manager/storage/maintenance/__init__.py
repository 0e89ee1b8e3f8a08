"""What is done to a whole database: backup, check, pruning. Work of every day is in `tables/`."""
