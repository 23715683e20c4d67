"""The documentation: its commands run, its links resolve, its generated parts are complete."""
