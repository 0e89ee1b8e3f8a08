"""`tui-manager agent update`: replaces the agents of hosts by those of a bundle."""

import argparse
import asyncio
from dataclasses import replace

from tui_manager.agent_bundle.opened_bundle import open_bundle
from tui_manager.cli.commands.files.copied_files import CopiedFiles
from tui_manager.cli.commands.hosts.agent_bundle import own_bundle
from tui_manager.cli.commands.tasks.run import (
    check_plan_mode,
    connect_and_check_target,
    plan_only,
    run_made,
)
from tui_manager.cli.options.hosts.agent_update import update_task
from tui_manager.cli.options.tasks.transfer import NO_FILES
from tui_manager.cli.options.values import file_path
from tui_manager.cli.printing.write_text import note
from tui_manager.domain.task_spec.copy_and_fetch import UpdateSpec
from tui_manager.settings import Settings

# Stands in a task until its bundle is read.
_NO_BUNDLE = UpdateSpec(replace(NO_FILES, files=1), "0", "0" * 12, "linux", "x86_64")


def run_update(settings: Settings, options: argparse.Namespace) -> int:
    """Runs `agent update`, and returns the exit status."""
    spec = update_task(options, _NO_BUNDLE)
    check_plan_mode(options)
    if options.mode != "no-start":  # before a bundle is made in vain
        asyncio.run(connect_and_check_target(settings, spec))
    with CopiedFiles() as copied:
        update = _read_bundle(options.bundle, copied, plan=options.plan)
        (step,) = spec.commands
        spec = replace(spec, commands=(replace(step, update=update),))
        spec.check()
        if options.plan:
            return plan_only(settings, options, spec)
        return run_made(settings, options.mode, spec, copied)


def _read_bundle(name: str | None, copied: CopiedFiles, *, plan: bool) -> UpdateSpec:
    """What a bundle brings; `name`: of its file, None: the one of this machine's own agent. A plan
    says who has signed it."""
    bundle = own_bundle() if name is None else open_bundle(file_path(name))
    manifest = bundle.manifest
    if plan:
        keys = " and ".join(bundle.signers)
        note(f"signed with {keys}; a host that does not trust this key rejects the update")
    files, _ = copied.read([str(bundle.path)], recursive=False)
    return UpdateSpec(files, manifest.version, manifest.build, manifest.system, manifest.arch)
