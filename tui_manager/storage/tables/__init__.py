"""The rows of each table. Each legal move of a row is one guarded statement."""
