"""Commands about managers and their database: audit, backup, clock, migration, notifications, and
the managers of a system. Programs that run a manager are beside this package."""
