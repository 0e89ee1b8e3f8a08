"""Tasks and hosts: every rule of the product that is not a pure function of the domain."""
