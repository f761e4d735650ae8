"""Sphinx makes a site of this folder: `make docs`. Nothing is fetched, then or by a reader."""

project = "Footfall"
html_title = "Footfall"
extensions = ["myst_parser"]
exclude_patterns = ["*.py"]

html_theme = "furo"
html_copy_source = False
html_show_sphinx = False
highlight_language = "none"  # of indented blocks: sessions in a shell, most of them

myst_heading_anchors = 3  # as GitHub names them, so that a link is right in both places
nitpicky = True
