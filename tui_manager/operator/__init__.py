"""The operator's API: the Protocol (`api`), its implementation in the process of the manager
(`inprocess`), in another thread (`cross_thread`), and over a socket (`socket`)."""
