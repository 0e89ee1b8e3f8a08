"""The identity of this host: its state folder and ids, its key and certificate, its join token.

How the manager issues the certificate is in `link/`.
"""
