"""What makes this host itself: its state folder and ids, its key and certificate, its join token.

How they are got from the manager is in `link/`.
"""
