"""What emulated hosts are called."""


def host_name(number: int) -> str:
    """Of the host with this number, from 0."""
    return f"h{number:05d}"
