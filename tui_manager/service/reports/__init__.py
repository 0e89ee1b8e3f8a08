"""What agents report of executions, and what that changes in the database.

`apply_reports.py` has `handle_command_result`, and finds second, different results;
`report_service.py` counts them. What is sent to agents is in `dispatch/`.
"""
