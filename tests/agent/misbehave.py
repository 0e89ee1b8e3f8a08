"""Children as hosts really have them: `misbehave.py WHAT`. Each says `ready` when it is so far."""

import os
import signal
import sys
import time


def ignore_sigterm() -> None:
    """Ends by SIGKILL only."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready", flush=True)
    time.sleep(600)


def escape() -> None:
    """A daemon that forks twice, leaves the session and ignores SIGTERM; its pid is printed."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            os.write(writer, str(os.getpid()).encode())
            time.sleep(600)
        os._exit(0)
    os.wait()
    print(os.read(reader, 20).decode(), "ready", flush=True)
    time.sleep(600)


def shed_the_mark() -> None:
    """An orphan with an empty environment in a session of its own; its pid is printed."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        orphan = os.fork()
        if orphan == 0:
            os.execve("/bin/sleep", ["sleep", "600"], {})
        os.write(writer, str(orphan).encode())
        os._exit(0)
    os.wait()
    os.close(writer)
    print(os.read(reader, 20).decode(), end=" ")
    os.read(reader, 1)  # its end: the orphan has shed all by its exec
    print("ready", flush=True)
    time.sleep(600)


def fork_and_leave() -> None:
    """Forks, ends, and goes on in the child, for 20 s at most; each adds a byte to argv[2]."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    trace = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    if os.fork() != 0:
        time.sleep(600)
    print("ready", flush=True)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        os.write(trace, b".")
        if os.fork() != 0:
            os._exit(0)


def large_environment() -> None:
    """Makes its environment look as long as argv[2] says, in bytes (prctl(2), PR_SET_MM_MAP)."""
    import ctypes
    import mmap

    size = int(sys.argv[2])
    area = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    with open("/proc/self/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    code, end_code, stack = (int(field) for field in fields[23:26])
    data, end_data, heap, arguments, end_arguments = (int(field) for field in fields[42:47])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sbrk.restype = ctypes.c_void_p
    bounds = [code, end_code, data, end_data, heap, libc.sbrk(0), stack, arguments, end_arguments]
    longs = (ctypes.c_uint64 * 12)(*bounds, start, start + size, 0)
    table = bytes(longs) + (0).to_bytes(4, "little") + (0xFFFFFFFF).to_bytes(4, "little")
    if libc.prctl(35, 14, ctypes.c_char_p(table), ctypes.c_ulong(len(table)), 0):
        print(os.strerror(ctypes.get_errno()), flush=True)
    else:
        print("ready", flush=True)
        time.sleep(600)


def leak_the_pipe() -> None:
    """Ends, and leaves a daemon that holds stdout until it finds the file named in argv[2]."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(writer)
        os.read(reader, 1)  # returns once the parent has printed the pid, and ended
        while not os.path.exists(sys.argv[2]):
            print("still here", flush=True)
            time.sleep(0.01)
        os._exit(0)
    print(pid, flush=True)


def flood() -> None:
    """argv[2] bytes on stdout, and as many on stderr."""
    size = int(sys.argv[2])
    block = b"0123456789abcdef" * 4096
    for start in range(0, size, len(block)):
        part = block[: size - start]
        os.write(1, part)
        os.write(2, part)


def eat() -> None:
    """50 MB of memory and some CPU."""
    block = b"x" * 50_000_000
    sum(range(3_000_000), len(block))


def every_byte() -> None:
    """All 256 values, without a line's end."""
    sys.stdout.buffer.write(bytes(range(256)) * 1024)


def progress() -> None:
    """Rewrites one line, as progress bars do."""
    for percent in range(101):
        sys.stdout.write(f"\r{percent:3} %")
    sys.stdout.flush()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
