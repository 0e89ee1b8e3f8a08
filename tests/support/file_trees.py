"""Files and folders on a disk, as tests write them and read them back."""

import hashlib
import os
import random
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

Tree = dict[bytes, bytes | None]  # by the path in it, `/` between parts; None: a folder
# In a path of a copy or a fetch: the folder in which the agent was started. So one path means
# another folder on each of several agents of one machine.
OF_HOST = "/proc/self/cwd"
PARTIAL = b".tui-manager."  # the names of files that a copy has not completed begin so
KIB, MIB = 1 << 10, 1 << 20


def noise(seed: str, size: int) -> bytes:
    """Bytes that follow from the seed, and that nothing can compress."""
    return hashlib.shake_256(seed.encode()).digest(size)


def write_tree(folder: Path, tree: Mapping[bytes, bytes | None]) -> None:
    """Writes these files and folders below a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in tree.items():
        path = os.path.join(os.fsencode(folder), name)
        os.makedirs(path if content is None else os.path.dirname(path), exist_ok=True)
        if content is not None:
            with open(path, "wb") as file:
                file.write(content)


def read_tree(folder: Path) -> Tree:
    """All regular files below a folder, and the folders that are empty. Empty if the folder is
    missing."""
    found: Tree = {}
    top = os.fsencode(folder)
    for parent, folders, files in os.walk(top):
        for name in files:
            path = os.path.join(parent, name)
            if not os.path.isfile(path):
                continue
            with suppress(FileNotFoundError), open(path, "rb") as file:  # it has just gone
                found[os.path.relpath(path, top)] = file.read()
        if not (folders or files) and parent != top:
            found[os.path.relpath(parent, top)] = None
    return found


def is_partial(path: bytes) -> bool:
    """Whether a file has the name of one that a copy has begun and not completed."""
    return os.path.basename(path).startswith(PARTIAL)


def partial_files(folder: Path) -> list[bytes]:
    """The files of that kind below a folder."""
    return [path for path in read_tree(folder) if is_partial(path)]


def odd_tree() -> Tree:
    """Names and contents that are allowed and rare."""
    return {
        b"new\nline": b"one\n",
        b"no utf-8 \xff\xfe": b"two\n",
        b"x" * 255: b"three\n",
        b"-rf *": b"four\n",
        b" ": b"",
        b"empty folder": None,
        b"deep/" * 20 + b"file": b"five\n",
        b"equal 1": noise("equal", 100 * KIB),
        b"equal 2": noise("equal", 100 * KIB),
        b"zeros": bytes(3 * MIB),
        b"data and zeros": noise("head", 5 * KIB) + bytes(MIB) + noise("tail", 5 * KIB),
    }


def random_tree(dice: random.Random, seed: str) -> Tree:
    """Some small files, some of them equal, now and then a large one."""
    tree: Tree = {}
    for number in range(dice.randint(1, 30)):
        folder = dice.choice((b"", b"", b"a/", b"a/b/", b"c\n\xff/"))
        kind = dice.choice(("small", "small", "equal", "empty", "zeros", "folder"))
        content = {
            "small": noise(f"{seed} {number}", dice.randint(1, 20 * KIB)),
            "equal": noise(f"{seed} equal", 10 * KIB),
            "empty": b"",
            "zeros": bytes(dice.randint(1, 200 * KIB)),
            "folder": None,
        }[kind]
        tree[folder + f"{kind} {number}".encode()] = content
    if dice.random() < 0.5:
        tree[b"large"] = noise(f"{seed} large", dice.randint(MIB, 4 * MIB))
    return tree
