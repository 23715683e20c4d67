"""The audit: what a catalog holds, and what in it could teach a network the herbarium instead of the plant."""

from leafid.curation.auditing.audit import AuditFiles, audit
from leafid.curation.auditing.figures import Audit, NearDuplicatePair, ShortcutResult, TaxonCounts

__all__ = ["Audit", "AuditFiles", "NearDuplicatePair", "ShortcutResult", "TaxonCounts", "audit"]
