"""The rules of the wire that only the database can check, and the sentence for each. A file of its
own, because the transport checks all other rules before a report comes here."""

from tui_manager.service.reports.apply_reports import ReportOutcome


def broken_wire_rules(outcome: ReportOutcome) -> list[str]:
    """The rules that a report breaks, a sentence each. If there is one, the session ends."""
    return [
        sentence.format(sorted(executions)[0])
        for executions, sentence in (
            (outcome.foreign, "It reported execution {}, which is another host's."),
            (outcome.over_limit, "More output of {} came than its limit allows."),
            (outcome.holes, "Output of {} begins behind what is stored."),
        )
        if executions
    ]
