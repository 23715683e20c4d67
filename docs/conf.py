"""Settings of the documentation site: Sphinx with pages in Markdown (MyST)."""

import sys
from pathlib import Path

from leafid.version import __version__

sys.path.insert(0, str(Path(__file__).parent))  # generated_pages

project = "leafid"
author = "The leafid authors"
project_copyright = "The leafid authors, MIT licence"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "generated_pages",
]
exclude_patterns = ["generated_pages", "site"]

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # generated parts begin below the level of the page's own headings
smartquotes = False  # it would turn the two hyphens of options into a dash

html_theme = "furo"
html_title = f"leafid {__version__}"
html_static_path = ["static"]
html_css_files = ["wide_tables.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Types in signatures are not looked up: other projects are not at hand without a network, inner types have no entry.
nitpicky = True
nitpick_ignore_regex = [(r"py:(class|obj|data|exc)", r".*")]
