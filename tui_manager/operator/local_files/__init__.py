"""The files of this machine that are copied to hosts, and those that are fetched from hosts: reads,
hashes and uploads the former, writes the latter. Knows the operator's Protocol and the domain; the
command line and the screen both use it."""
