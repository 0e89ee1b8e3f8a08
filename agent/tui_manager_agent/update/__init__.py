"""The update of this agent to another version, which comes as a bundle from its manager.

The running agent pulls the bundle, checks who has signed it, and unpacks it beside itself
(`update_work.py`, `bundle_program.py`, `versions.py`). Then it writes a record of the trial, starts
a watcher (`trial_record.py`, `start_trial_watcher.py`, `trial_watcher.py`) and becomes the new
version by `exec` (`start_new_version.py`). The new version is on trial until its manager has
welcomed and admitted it; `trial.py` says for how long. Then it moves the link ROOT/current, which
decides. If any process dies before, the link names the old version, which is started again. The
first agent that finds the record ends the execution.

A version on trial changes nothing of what the state folder holds: it reads it, and that is all,
because the old version may have to go on with it. Messages are handled, executions started and
files moved to another form only after the acceptance.
"""
