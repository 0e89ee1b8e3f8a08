"""The database: one writer, readers, migrations, SQL.

Counters of tasks and rollouts are kept by triggers, which are in the migrations (`sql/`).
"""
