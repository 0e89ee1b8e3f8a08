"""Long lists: windows of rows, the language of filters, the columns to sort by.

How the rows are read from the database is in `storage/views/`. Four files, because nothing else of
the domain is about lists.
"""
