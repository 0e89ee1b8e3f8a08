"""Who is connected, how the hosts are, and what follows when one is silent.

Who belongs to the fleet is in `enrollment/`.
"""
