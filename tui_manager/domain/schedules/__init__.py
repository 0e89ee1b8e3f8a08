"""Schedules: cron expressions, when they are due, and what becomes of each due time."""
