"""`managers`: the managers of a database, as operators see them."""

from tests.support.processes import Machine


def test_a_manager_alone_is_the_whole_list(machine: Machine) -> None:
    machine.serve()
    machine.agents("h1")
    (alone,) = machine.json("managers")
    assert (alone["number"], alone["address"]) == (0, machine.address)
    assert (alone["leads"], alone["alive"]) == (True, True)
    machine.wait_for(
        "the host to be counted", lambda: machine.json("managers")[0], lambda one: one["hosts"] == 1
    )
    assert machine.json("hosts", "show", "h1")["manager"] is None
    assert machine.run("managers").out.split()[0] == b"NAME"
