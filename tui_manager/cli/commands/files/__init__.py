"""Commands that copy files to hosts and fetch files from them. The folders for fetched files,
which `run` has too, are in `fetch_folders` beside this package."""
