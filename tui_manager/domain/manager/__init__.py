"""The manager as operators see it: status, gateways, addresses, alerts, changes, audit,
notifications.
"""
