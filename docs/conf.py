"""How Sphinx makes the site of the manual from the pages in this folder: `make docs`."""

import atexit
import gc
from importlib.metadata import version as installed_version

# To look for cycles among the nodes of all pages takes a third of a build.
gc.disable()
atexit.register(gc.freeze)

project = "tui-manager"
author = "the authors of tui-manager"
project_copyright = author
release = installed_version("tui-manager")
version = release

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
nitpicky = True

myst_heading_anchors = 4  # a link may name a heading of a page: [text](page.md#heading)
myst_enable_extensions = ["deflist"]

html_theme = "furo"
html_title = f"tui-manager {release}"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_copy_source = False
html_use_index = False
html_show_sphinx = False
