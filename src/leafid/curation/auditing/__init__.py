"""The audit: what a catalog holds, and what in it could teach a network the herbarium instead of the plant."""

from leafid.curation.auditing.audit import AuditFiles, audit
from leafid.curation.auditing.figures import Audit, PairFigures, ShortcutFigures, TaxonCounts

__all__ = ["Audit", "AuditFiles", "PairFigures", "ShortcutFigures", "TaxonCounts", "audit"]
