"""Tasks that start by the clock: what operators do with schedules, and the loop that acts when one
is due.

When which of them is due, and what becomes of a due time, is decided in `domain/cron.py` and
`domain/schedule_decision.py`.
"""
