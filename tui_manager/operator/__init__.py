"""The operator's door to the manager: one Protocol, in-process and over the unix socket."""
