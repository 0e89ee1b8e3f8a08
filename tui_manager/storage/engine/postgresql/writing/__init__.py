"""The connection that writes: units of work in transactions, commits that are counted, and the
right to plan as a transaction sees it."""
