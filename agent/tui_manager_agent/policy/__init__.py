"""The owner's policy: where it is read, what it allows, as which users commands may run."""
