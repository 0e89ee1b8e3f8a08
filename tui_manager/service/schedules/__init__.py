"""Tasks that start by the clock: what operators do with schedules, and the loop that acts when one
is due.

`domain/schedules/cron_and_zone.py` says when each of them is due, and
`domain/schedules/schedule_decision.py` decides what becomes of a due time.
"""
