"""The rows of each table, and each legal change of a status as one statement with a guard. A
package for each subject.

Queries over several tables are in `views/`.
"""
