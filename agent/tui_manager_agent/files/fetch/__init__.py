"""The work of a fetch: finds files on this host, reads them, and gives them to the manager."""
