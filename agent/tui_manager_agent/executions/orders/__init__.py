"""A request of the manager as the order that a supervisor or a transfer carries out: its checks,
its environment, its limits, its script."""
