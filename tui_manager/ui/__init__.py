"""The screen. It knows the operator Protocol and the domain, nothing of the manager."""
