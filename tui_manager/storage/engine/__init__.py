"""The database file: connections, the writer, the write-ahead log, migrations, named queries.

Nothing here knows a table.
"""
