"""PostgreSQL: the address of the server, its connections, what its errors mean, its migrations.
Only this room imports psycopg, which is an extra of the package."""
