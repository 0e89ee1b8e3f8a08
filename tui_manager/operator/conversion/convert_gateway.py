"""The managers of one database between the wire and the domain. What one manager says of itself
alone is in `convert_manager.py`."""

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.manager.gateway import Gateway
from tui_manager.operator.conversion.convert_manager import health_from_wire, health_to_wire
from tui_manager.operator.conversion.convert_values import instant, timestamp


def gateway_to_wire(gateway: Gateway) -> wire.Gateway:
    return wire.Gateway(
        number=gateway.number,
        name=gateway.name,
        address=gateway.address,
        version=gateway.version,
        started_at=timestamp(gateway.started_at),
        leads=gateway.leads,
        alive=gateway.alive,
        stopped=gateway.stopped,
        last_seen=timestamp(gateway.last_seen),
        health=None if gateway.health is None else health_to_wire(gateway.health),
        runs=gateway.runs,
    )


def gateway_from_wire(message: wire.Gateway) -> Gateway:
    return Gateway(
        number=message.number,
        name=message.name,
        address=message.address,
        version=message.version,
        started_at=instant(message.started_at) if message.HasField("started_at") else None,
        leads=message.leads,
        alive=message.alive,
        stopped=message.stopped,
        last_seen=instant(message.last_seen) if message.HasField("last_seen") else None,
        health=health_from_wire(message.health) if message.HasField("health") else None,
        runs=message.runs,
    )
