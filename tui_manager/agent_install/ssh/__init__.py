"""Sessions over ssh with hosts: which hosts are meant, how a session goes, why one fails. What is
asked of a host is beside this package."""
