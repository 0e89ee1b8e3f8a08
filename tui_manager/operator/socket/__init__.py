"""The operator's API over its unix socket: server, client, and how one finds the other."""
