"""The Jinja environment of all HTML pages that leafid writes."""

from typing import TYPE_CHECKING

from leafid.destinations import MARK

if TYPE_CHECKING:
    from jinja2 import Template


def page_template(package: str, name: str) -> "Template":
    """Load a page template; values are escaped, and a variable that is not given is an error.

    Args:
        package: the package whose folder ``templates`` holds the template, such as ``leafid.trust``. Files that all
            pages share, such as the stylesheet, are found in ``leafid/templates``.
        name: file name of the template.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("leafid")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.globals["mark"] = MARK
    return environment.get_template(name)
