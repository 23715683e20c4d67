"""All pages share one environment: values are escaped, missing variables are errors, the stylesheet is found."""

import pytest
from jinja2 import UndefinedError

from leafid.html import page_template


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("leafid.identify", "report.html"),
        ("leafid.trust", "evaluation.html"),
        ("leafid.curation.auditing", "audit.html"),
    ],
)
def test_each_page_is_found_and_needs_its_variables(package: str, name: str) -> None:
    template = page_template(package, name)
    with pytest.raises(UndefinedError):
        template.render()
    assert template.environment.autoescape is True
    assert template.environment.get_template("report.css").render()
