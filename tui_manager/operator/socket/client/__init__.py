"""The client's side of the socket: it finds a manager, calls it, and waits for answers. A file for
related subjects."""
