"""SQLite: the file, its connections, its write-ahead log, its migrations. Only this room and
`maintenance/` know that the database can be a file.
"""
