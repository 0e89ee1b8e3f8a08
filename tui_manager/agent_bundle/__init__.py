"""Makes and opens bundles: an agent with its own Python in one file, signed by the operator.

The format of the file is in `tui_manager_protos.rules.files.agent_bundle`, which agents read too.
How a bundle comes to hosts is not here.
"""
