"""The manager on the screen: attention, figures, audit. The connection is in `manager_link`."""
