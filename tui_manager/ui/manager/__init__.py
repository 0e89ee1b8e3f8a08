"""The manager on the screen: alerts, figures, audit. The connection is in `manager_link`."""
