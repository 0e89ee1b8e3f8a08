"""Orders that an agent could have journalled."""

from tui_manager_agent.journal.order_and_result import Order
from tui_manager_agent.supervisor import clock


def order(**entries: object) -> Order:
    """An order with these entries, and ordinary ones beside them."""
    ordinary: dict[str, object] = {
        "command": "true",
        "user": "somebody",
        "folder": "",
        "cwd": "/",
        "variables": "",
        "timeout": 60 * clock.SECOND,
        "kill_grace": clock.SECOND,
        "output_limit": 1024 * 1024,
        "priority": 0,
        "bell": "/nonexistent/bell",
        "boot_id": "this",
    }
    return Order.decode({name: str(value) for name, value in (ordinary | entries).items()})
