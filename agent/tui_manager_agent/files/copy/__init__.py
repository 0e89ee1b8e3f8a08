"""The work of a copy: gets the files from the manager and writes them on this host, so that each
is whole or not there."""
