"""The commands. Each declares its options and calls the library; heavy packages are imported when a command runs."""

import logging
import sys
import warnings

import typer

from leafid.cli.bundle import bundle
from leafid.cli.collect import audit, collect
from leafid.cli.columns import columns
from leafid.cli.demo import demo
from leafid.cli.evaluate import crossvalidate, evaluate
from leafid.cli.explain import explain
from leafid.cli.export import export
from leafid.cli.identify import identify
from leafid.cli.job import job
from leafid.cli.label_issues import label_issues
from leafid.cli.measure import measure
from leafid.cli.preview import preview
from leafid.cli.review import review
from leafid.cli.serve import serve
from leafid.cli.standard_streams import make_streams_lossy, open_missing_streams, printing_error
from leafid.cli.supervision import supervise_program
from leafid.cli.synthesize import synthesize
from leafid.cli.train import prepare, sweep, train
from leafid.cli.watch import watch
from leafid.defects import save_defect
from leafid.errors import ExitCode, LeafidError, UsageError
from leafid.statements import LIMITS
from leafid.text import printable
from leafid.version import __version__

RENAMED_COMMANDS = {"look": "preview", "doubts": "label-issues", "draw": "synthesize"}
"""Old command words and those that replaced them."""


app = typer.Typer(
    name="leafid",
    rich_markup_mode=None,  # else `leafid[ray]` in a help text is read as markup and shown as `leafid`
    help="Distinguish Mitragyna speciosa from its look-alikes by leaf and vein pattern.",
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
    preview,
    prepare,
    train,
    sweep,
    evaluate,
    crossvalidate,
    identify,
    watch,
    serve,
    review,
    explain,
    label_issues,
    export,
    measure,
    synthesize,
    columns,
):
    app.command()(command)
app.add_typer(job, name="job")
app.add_typer(bundle, name="bundle")


def _name_successor(old: str, new: str) -> None:
    """Register a hidden command that refuses an old word, whatever follows it, and gives the new one."""

    @app.command(
        old,
        hidden=True,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def renamed() -> None:
        raise UsageError(f"`leafid {old}` is now `leafid {new}`.")


for old_word, new_word in RENAMED_COMMANDS.items():
    _name_successor(old_word, new_word)


@app.callback(invoke_without_command=True)
def version_option(version: bool = typer.Option(False, "--version", help="Show the version and exit.")) -> None:
    """Distinguish Mitragyna speciosa from its look-alikes by leaf and vein pattern."""
    if version:
        print(f"leafid {__version__}")
        raise typer.Exit


class _PrintableFormatter(logging.Formatter):
    """Formats messages with control characters escaped: file names and bundles of strangers may contain them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message."""
        return printable(super().format(record), keep="\n\t")


def _run_command() -> None:
    """Run the command; say on standard error if its output could not be printed. Written files are complete."""
    try:
        app()
    finally:
        error = printing_error()
        if error is not None and not isinstance(error, BrokenPipeError):  # `leafid ... | head` is no mistake
            print(f"leafid: standard output cannot be written: {error.strerror}.", file=sys.stderr)


def main() -> None:
    """Run the program. Print a mistake of the user as one sentence; save the traceback of a defect to a file."""
    open_missing_streams()
    make_streams_lossy()
    handler = logging.StreamHandler()
    handler.setFormatter(_PrintableFormatter("%(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("leafid").setLevel(logging.INFO)
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # as below
    warnings.filterwarnings(
        "ignore", module="PIL"
    )  # about damaged EXIF; an image that cannot be read becomes a failed record
    supervise_program()
    try:
        _run_command()
    except LeafidError as error:
        print(printable(f"leafid: {error}", keep="\n"), file=sys.stderr)
        sys.exit(ExitCode.USER_ERROR)
    except Exception as error:
        report = save_defect(error)
        print(f"leafid: this is a defect of leafid. Please report it with the file {report}", file=sys.stderr)
        sys.exit(ExitCode.INTERNAL_ERROR)
