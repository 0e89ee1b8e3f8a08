"""The tables of the manager itself, whatever it does with hosts and tasks: its state and keys, the
managers of one database, the audit, notifications and their receivers."""
