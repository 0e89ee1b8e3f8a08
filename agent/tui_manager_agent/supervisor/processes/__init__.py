"""All processes of a command together: how they are found, limited and killed. The first one is
started in `spawn`, beside this package."""
