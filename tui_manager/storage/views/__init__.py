"""Queries over several tables: windows onto long lists, what may be sent, what agents must answer.

Changes of a status are in `tables/`.
"""
