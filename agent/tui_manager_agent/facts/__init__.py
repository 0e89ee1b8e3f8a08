"""What this host says of itself: its description, its vitals, its facts and those of its owner.

How and when it is sent is in `link/`.
"""
