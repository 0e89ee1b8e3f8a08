"""Who is connected: sessions open and close, agents are identified, silent ones are found.

Who belongs to the fleet is in `enrollment/`. The hosts in memory are in `core/hosts/`.
"""
