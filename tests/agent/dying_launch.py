"""In place of the fork server: it, and it dies of an error that it cannot say: stderr is stuck."""

import os
import sys


def main() -> None:
    sys.path.append(f"{__file__.rsplit('/', 3)[0]}/agent")
    from tui_manager_agent.supervisor.fork_server import ForkServer

    class Broken(ForkServer):
        def _take_orders(self) -> bool:
            raise MemoryError

    _, writer = os.pipe()
    os.set_blocking(writer, False)
    for size in (1 << 16, 1):
        try:
            while True:
                os.write(writer, bytes(size))
        except BlockingIOError:
            pass
    os.set_blocking(writer, True)
    os.dup2(writer, 2)
    Broken(int(sys.argv[1])).serve()


if __name__ == "__main__":
    main()
