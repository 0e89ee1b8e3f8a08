"""Rules of files: file sets and their manifest, bundles of agents, tar files, and which paths can
be trusted."""
