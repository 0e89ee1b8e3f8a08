"""The database file: connections, the writer, migrations, named queries. It knows no table."""
