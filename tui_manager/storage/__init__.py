"""The database: one writer, readers, migrations, SQL."""
