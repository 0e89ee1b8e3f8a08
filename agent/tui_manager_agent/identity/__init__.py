"""Who this host is to its manager: its state folder, its key, its certificate, how it joins.

The stream to the manager is in `link/`.
"""
