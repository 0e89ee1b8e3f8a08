"""Brings agents to hosts over ssh, and takes them away again.

It uses the operator's own `ssh` program, the operator's Protocol and bundles. `host.sh` is what a
host is asked to do. How it is asked for and shown is in `cli`.
"""
