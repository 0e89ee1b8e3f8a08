"""The failpoints by name, and how often a run reaches each, about. `inject` puts them into the
programs."""

MANAGER_POINTS = {
    "statement": 120,  # how often a run reaches it, about
    "before.commit": 30,
    "after.commit": 30,
    "before.hand_over": 4,
    "after.hand_over": 4,
    "before.send_welcome": 1,
    "after.send_welcome": 1,
    "before.send_resume": 2,
    "after.send_resume": 2,
    "before.send_run_command": 4,
    "after.send_run_command": 4,
    "before.send_cancel_command": 1,
    "before.take_report": 30,
    "after.take_report": 30,
    "before.acknowledge": 20,
    "after.acknowledge": 20,
    "before.send_acknowledge": 20,
    "after.send_acknowledge": 20,
    **{
        f"{side}.{name}": 2
        for name in (
            *("send_file_part", "send_file_request", "send_files_stored"),
            *("store_piece", "store_set"),
        )
        for side in ("before", "after")
    },
}
AGENT_POINTS = {
    **{
        f"{side}.{name}": 2
        for name in ("accept", "write_content", "mark_starting", "start_supervisor")
        for side in ("before", "after")
    },
    **{
        f"{side}.{name}": 2
        for name in ("append", "remove", "handle_run_command")
        for side in ("before", "after")
    },
    **{
        f"{side}.{name}": 10
        for name in ("send_report", "handle_acknowledge")
        for side in ("before", "after")
    },
    "before.handle_resume": 1,
    "after.handle_resume": 1,
    "before.handle_cancel_command": 1,
    "after.handle_cancel_command": 1,
    "before.request_cancel": 1,
    "after.request_cancel": 1,
    **{
        f"{side}.{name}": 2
        for name in (
            *("send_file_request", "send_file_part", "send_files_found"),
            *("handle_file_request", "handle_file_part", "handle_files_stored"),
            *("open_partial", "add_partial", "sync_partial", "rename_partial", "note_progress"),
        )
        for side in ("before", "after")
    },
}
# Of an agent that is updated; others never come there.
UPDATE_POINTS = {
    f"{side}.{name}": 1
    for name in (
        *("place_version", "prepare_version", "write_trial", "accept_version", "remove_trial"),
    )
    for side in ("before", "after")
}
SUPERVISOR_POINTS = {
    **{
        f"{side}.{name}": 1
        for name in (
            *("take", "arguments", "open_stdin", "shell", "note_start"),
            *("reap", "finish", "end", "remove_files"),
        )
        for side in ("before", "after")
    },
    "before.move_output": 8,
    "after.move_output": 8,
}

FORK_SERVER_POINTS = {
    f"{side}.{name}": 2 for name in ("fork", "tell") for side in ("before", "after")
}
