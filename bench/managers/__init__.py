"""Several managers on one PostgreSQL database, measured: `make bench-managers`."""
