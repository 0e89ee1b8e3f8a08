"""Hosts that a test makes of namespaces, and what operators do to them over ssh.

Each host has a root of its own without Python, an address, processes of its own and a real sshd.
`prepare.py` makes the root once, `lab.py` starts and ends hosts; `python -m tests.lab` starts some
and gives a shell to try by hand.
"""
