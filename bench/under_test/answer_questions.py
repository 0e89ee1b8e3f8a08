"""The side of a process that a benchmark asks: words come in, a line of JSON goes out for each."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Answer = Callable[..., Awaitable[Any]]


async def answer(answers: Mapping[str, Answer]) -> None:
    """Answers questions, one after another, until who asks has gone.

    Args:
        answers: by the first word of a question; the other words are the arguments.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        word, *arguments = line.decode().split()
        said = await answers[word](*arguments)
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
