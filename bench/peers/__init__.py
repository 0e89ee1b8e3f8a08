"""Other programs that run a command on many hosts, beside ours, on the same machine in one run."""
