"""Real managers and agents of a run: processes, databases, files, proxies, operators, and what is
seen of them from outside."""
