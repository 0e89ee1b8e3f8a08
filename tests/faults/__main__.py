"""The long run of the fault suite, which ends with the table of docs/survives.md: `make faults`."""

import argparse
import secrets
import sys

from tests.faults.fleet.fleet import chosen_managers
from tests.faults.fleet.fleet_database import SQLITE, chosen_database
from tests.faults.fleet.fleet_tls import TLS, chosen_tls
from tests.faults.long_run.all_runs import Share, make, make_in_processes


def main() -> int:
    """Returns 1 when there was a violation."""
    parser = argparse.ArgumentParser(prog="make faults")
    parser.add_argument("--seed", default="")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--processes", type=int, default=1)
    chosen = parser.parse_args()
    seed = chosen.seed or secrets.token_hex(4)
    how = f"make faults SEED={seed} RUNS={chosen.runs}"
    if chosen_database() != SQLITE:
        how += f" FAULTS_DATABASE={chosen_database()}"
    if chosen_managers() > 1:
        how += f" FAULTS_MANAGERS={chosen_managers()}"
    if chosen_tls():
        how += f" {TLS}=1"
    if chosen.processes > 1:
        how += f" FAULTS_PROCESSES={chosen.processes}"
    sys.stdout.write(f"{how}\n")
    if chosen.processes > 1:
        tally = make_in_processes(seed, chosen.runs, chosen.processes)
    else:
        tally = make(Share(seed), chosen.runs)
    for violation in tally.violations:
        sys.stdout.write(f"\n{violation}\n")
    sys.stdout.write(f"\n{tally.table(how)}\n")
    return bool(tally.violations)


if __name__ == "__main__":
    sys.exit(main())
