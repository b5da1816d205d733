"""The site: the pages of this folder, the gallery run anew, the docstrings of the public names.

Left out: docstrings of what is not public; the source is the place to read those.
"""

import inspect
import os
import pathlib
import re
import shutil

import matplotlib

ROOT = pathlib.Path(__file__).parents[1]
# Examples leave runs and files beside themselves, so they run in a copy, each build from nothing.
EXAMPLES = ROOT / "build" / "examples"
shutil.rmtree(EXAMPLES, ignore_errors=True)
shutil.copytree(ROOT / "examples", EXAMPLES, ignore=shutil.ignore_patterns("runs", "__pycache__"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
matplotlib.use("agg")

project, author = "arn_keras", "the authors of arn_keras"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
]
html_theme = "furo"
html_title = "arn_keras"
html_show_copyright = False
default_role = "code"  # docstrings have single backticks, as Markdown has them
exclude_patterns = ["_build", "rows"]
myst_heading_anchors = 3
autodoc_typehints = "none"  # the docstrings say shapes and units, which types do not
autodoc_member_order = "bysource"
sphinx_gallery_conf = {
    "examples_dirs": str(EXAMPLES),
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "show_memory": False,
    "download_all_examples": False,
    "remove_config_comments": True,
    "write_computation_times": False,
    "reset_modules": ("matplotlib",),
}


def _stars_are_stars(app, what, name, obj, options, lines):
    """Keeps the star of a shape or a power, `[batch, *shape]`, `10**x`, out of reStructuredText."""
    lines[:] = [re.sub(r"(, |\d)(\*{1,2})(?=\w|\()", r"\1" + r"\\\2", line) for line in lines]


def _of_init(app, what, name, obj, options, signature, returned):
    """The signature of a Keras class as its `__init__` has it; `__new__` takes anything."""
    if what == "class":
        _, *others = inspect.signature(obj.__init__, eval_str=False).parameters.values()
        bare = [each.replace(annotation=inspect.Parameter.empty) for each in others]
        signature = str(inspect.Signature(bare))
    return signature, returned


def setup(app):
    """Before Napoleon, which has stars of its own to add."""
    app.connect("autodoc-process-signature", _of_init)
    app.connect("autodoc-process-docstring", _stars_are_stars, priority=400)
