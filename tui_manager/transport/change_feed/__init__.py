"""NATS between the managers of one database, instead of LISTEN and NOTIFY. Only this room imports
nats-py, which is an extra of the package. What the messages say does not belong here."""
