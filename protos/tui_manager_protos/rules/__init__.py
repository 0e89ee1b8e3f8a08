"""The rules that manager and agent must apply in the same way, each with one set of tests.

Standard library only, and light: every agent loads them. What only one side applies stays with it.
"""
