"""An alert: a sentence for the operator, and what it is about. A file of its own, because several
layers make, convert and show alerts."""

from tui_manager_protos.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. It is about one thing at most.

    Attributes:
        text: a sentence, or several.
        host_id: the host that it is about; empty: it is about no single host.
        task_id: the task; 0: none.
        schedule: the name of the schedule; empty: none.
        hosts: a filter of the list of hosts that shows all hosts that it is about; empty: none.
    """

    text: str
    host_id: str = ""
    task_id: int = 0
    schedule: str = ""
    hosts: str = ""
