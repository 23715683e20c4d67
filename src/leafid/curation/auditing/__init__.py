"""Audit a catalog: its contents, and shortcuts by which a network could learn the herbarium instead of the plant."""

from leafid.curation.auditing.audit import AuditFiles, audit
from leafid.curation.auditing.audit_result import Audit, NearDuplicatePair, ShortcutResult, TaxonCounts

__all__ = ["Audit", "AuditFiles", "NearDuplicatePair", "ShortcutResult", "TaxonCounts", "audit"]
