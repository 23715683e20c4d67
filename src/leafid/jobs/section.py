"""The base class of all sections of a job: frozen, unknown keys forbidden, numbers finite, fields with docstrings."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of a job. The string below each field is its description in help, schema and documentation."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
    )
