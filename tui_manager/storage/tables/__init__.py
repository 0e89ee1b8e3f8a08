"""The rows of each table, and each legal change of a status as one statement with a guard.

Queries over several tables are in `views/`.
"""
