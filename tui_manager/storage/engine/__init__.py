"""The database, whichever engine it is: the writer, units of work, named queries. Each engine has a
room of its own.

Nothing here knows a table.
"""
