"""Task files, which are tasks as TOML: read, checked, written; and templates, which are task files
under a name.
"""
