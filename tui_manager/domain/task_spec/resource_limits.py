"""What a command may use of its host: memory, processes, CPU time."""

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.errors import InvalidInputError

MEMORY_RANGE = (1 << 20, 1 << 50)  # bytes; a shell does not start in less
TASKS_RANGE = (1, 4_194_304)  # processes and threads; Linux has no more pids
CPU_RANGE = (1, 100_000)  # percent of one core: 1000 cores
_UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """Limits of all processes of a command together, on each host; 0: no limit.

    Attributes:
        memory_max: bytes. A command that needs more is killed; it gets no swap.
        tasks_max: processes and threads at once. To start one more fails in the command.
        cpu_max: percent of one core, 200 is two cores. A command that wants more waits.
    """

    memory_max: int = 0
    tasks_max: int = 0
    cpu_max: int = 0

    def check(self) -> None:
        """Raises InvalidInputError, naming the field, when a limit is out of bounds."""
        low, high = MEMORY_RANGE
        if self.memory_max and not low <= self.memory_max <= high:
            raise InvalidInputError(
                "memory-max",
                f"A memory limit must be from 1 MiB to 1024 TiB; {self.memory_max} bytes is not.",
            )
        for field, value, (low, high), unit in (
            ("tasks-max", self.tasks_max, TASKS_RANGE, ""),
            ("cpu-max", self.cpu_max, CPU_RANGE, "%"),
        ):
            if value and not low <= value <= high:
                raise InvalidInputError(
                    field, f"--{field} must be from {low}{unit} to {high}{unit}; {value} is not."
                )

    @property
    def words(self) -> tuple[str, ...]:
        """Each limit as it is shown."""
        return tuple(
            text
            for value, text in (
                (self.memory_max, f"memory {_size(self.memory_max)}"),
                (self.tasks_max, f"tasks {self.tasks_max}"),
                (self.cpu_max, f"cpu {self.cpu_max}%"),
            )
            if value
        )


NO_LIMITS = ResourceLimits()


def _size(count: int) -> str:
    """In the largest unit that spells it exactly."""
    for size, unit in _UNITS:
        if count and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} bytes"
