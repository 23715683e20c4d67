"""Packages import the module of a public name when the name is first used."""

import subprocess
import sys


def test_a_function_with_the_name_of_its_module_is_not_hidden_by_it() -> None:
    code = (
        "import leafid.sources.collect, leafid.trust.image_quality, leafid.curation.curate\n"
        "from leafid.sources import collect\n"
        "from leafid.trust import image_quality\n"
        "from leafid.curation import curate\n"
        "assert callable(collect) and callable(image_quality) and callable(curate)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_packages_imports_no_module_of_theirs() -> None:
    packages = ("identify", "trust", "learning", "characters", "sheets", "curation", "sources", "jobs")
    code = (
        f"import sys, {', '.join(f'leafid.{package}' for package in packages)}\n"
        "loaded = sorted(name for name in sys.modules if name.startswith('leafid.'))\n"
        f"assert loaded == sorted('leafid.' + package for package in {packages}), loaded\n"
        "assert not {'numpy', 'pydantic'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
