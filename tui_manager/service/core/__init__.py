"""What all services share: the hosts in memory, the clock, the feed of changes, the statistics.

Nothing here knows a service. What only one package needs belongs there.
"""
