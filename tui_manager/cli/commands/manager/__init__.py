"""Commands about the manager and its database: alerts, audit, backup, clock, migration. Programs
that run a manager are beside this package."""
