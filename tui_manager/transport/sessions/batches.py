"""Folds what is to be said at one time into few messages: each write of gRPC has its price."""

from collections.abc import Iterator, Sequence

from tui_manager_protos.v1 import agent_pb2 as pb

_BATCH = 256 * 1024  # bytes of messages that share one; a larger one goes alone


def in_batches(messages: Sequence[pb.ManagerMessage]) -> Iterator[pb.ManagerMessage]:
    """The same in the same order, in as few messages as may be; Welcome stays alone."""
    batch: list[pb.ManagerMessage] = []
    size = 0
    for message in messages:
        welcome = message.HasField("welcome")
        bytes_more = message.ByteSize() if len(messages) > 1 else 0
        if batch and (welcome or size + bytes_more > _BATCH):
            yield _batch(batch)
            batch, size = [], 0
        if welcome:
            yield message
        else:
            batch.append(message)
            size += bytes_more
    if batch:
        yield _batch(batch)


def _batch(messages: Sequence[pb.ManagerMessage]) -> pb.ManagerMessage:
    if len(messages) == 1:
        return messages[0]
    together = pb.ManagerMessage()
    together.batch.messages.extend(messages)
    return together
