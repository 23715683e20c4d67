"""Identify photos from Python: ``python scripts/identify.py BUNDLE PHOTO...``."""

import sys

from leafid import Identifier
from leafid.statements import LIMITS

bundle, *photos = sys.argv[1:] or sys.exit(__doc__)
for record in Identifier.load(bundle).identify(photos):
    probability = "" if record.probability is None else f"{record.probability:.2f}"
    print(record.path, record.status, record.scientific_name or record.reason, probability, sep="\t")
print(LIMITS)
