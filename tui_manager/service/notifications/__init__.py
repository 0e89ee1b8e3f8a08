"""Notifications on their way: the JSON of events, and the loop that delivers them. What is written
down when something happens is in `storage/tables/manager/notifications.py`; the ways out are in
`tui_manager/receivers/`."""
