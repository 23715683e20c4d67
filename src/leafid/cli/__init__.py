"""The commands: one module each, no logic, nothing heavy imported before a command needs it."""

import logging
import sys
import tempfile
import traceback
import warnings

import typer

from leafid.cli.audit import audit
from leafid.cli.collect import collect
from leafid.cli.columns import columns
from leafid.cli.crossvalidate import crossvalidate
from leafid.cli.demo import demo
from leafid.cli.evaluate import evaluate
from leafid.cli.explain import explain
from leafid.cli.export import export
from leafid.cli.identify import identify
from leafid.cli.job import job
from leafid.cli.label_issues import doubts
from leafid.cli.measure import measure
from leafid.cli.prepare import prepare
from leafid.cli.preview import look
from leafid.cli.sweep import sweep
from leafid.cli.synthesize import draw
from leafid.cli.train import train
from leafid.cli.watch import watch
from leafid.errors import ExitCode, LeafidError
from leafid.statements import LIMITS
from leafid.version import __version__

app = typer.Typer(
    name="leafid",
    help="Tell Mitragyna speciosa from its look-alikes by leaf and vein pattern.",
    epilog=LIMITS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo,
    collect,
    audit,
    look,
    prepare,
    train,
    sweep,
    evaluate,
    crossvalidate,
    identify,
    watch,
    explain,
    doubts,
    export,
    measure,
    draw,
    columns,
):
    app.command()(command)
app.add_typer(job, name="job")


@app.callback(invoke_without_command=True)
def version_option(version: bool = typer.Option(False, "--version", help="Show the version and stop.")) -> None:
    """Tell Mitragyna speciosa from its look-alikes by leaf and vein pattern."""
    if version:
        print(f"leafid {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the program: mistakes of the user are told in a sentence; a defect of leafid is kept in a file, not shown."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("leafid").setLevel(logging.INFO)
    warnings.filterwarnings("ignore", module="PIL")  # of damaged EXIF; what cannot be read becomes a failure
    try:
        app()
    except LeafidError as error:
        print(f"leafid: {error}", file=sys.stderr)
        sys.exit(ExitCode.USER_ERROR)
    except Exception:
        with tempfile.NamedTemporaryFile("w", prefix="leafid-defect-", suffix=".txt", delete=False) as report:
            report.write(f"leafid {__version__}\n{sys.argv}\n{traceback.format_exc()}")
        print(f"leafid: this is a defect of leafid. Please report it with the file {report.name}", file=sys.stderr)
        sys.exit(ExitCode.INTERNAL_ERROR)
