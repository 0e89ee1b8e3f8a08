"""The operator's API: the Protocol (`api`), its implementation in the process of the manager
(`inprocess`), in another thread (`hop`), and over a socket (`socket`)."""
