"""The bundle: a folder with a trained model and everything needed to use and to assess it.

    bundle.json             taxonomy, preprocessing, network, calibration, provenance (``BundleInfo``)
    model.safetensors       weights; no pickle is ever read
    references.safetensors  features of the train and val images, written by calibration
    references.csv          specimens of these images
    thumbnails.zip          thumbnails of the specimens whose licence allows it, if any
    MODEL_CARD.md           description for people

Training calls ``write_bundle``, and calibration calls ``update_bundle``. To use a bundle, call ``read_bundle`` and, for
the weights, ``Bundle.tensors``. It may also be packed as one .zip file, or be on the web: see ``bundle_folder``.
"""

from leafid.bundle.addresses import is_bundle_address
from leafid.bundle.description import describe_bundle, exported_engines
from leafid.bundle.folder import (
    CARD,
    INFO,
    REFERENCE_TABLE,
    THUMBNAILS,
    Bundle,
    bundle_file_sha256,
    unreadable,
    update_bundle,
    write_bundle,
)
from leafid.bundle.opening import bundle_folder, check_is_bundle, read_bundle
from leafid.bundle.schema import (
    FEW_GATHERINGS,
    BundleInfo,
    Calibration,
    CoverageLevel,
    Decision,
    FittedOn,
    Interval,
    NetworkSpec,
    OodDetector,
    OodPart,
    PhotoPooling,
    PredictionSets,
    Provenance,
)
from leafid.bundle.zip_bundles import bundle_members, pack_bundle, read_thumbnail, thumbnail_names, unpack_bundle

__all__ = [
    "CARD",
    "FEW_GATHERINGS",
    "INFO",
    "REFERENCE_TABLE",
    "THUMBNAILS",
    "Bundle",
    "BundleInfo",
    "Calibration",
    "CoverageLevel",
    "Decision",
    "FittedOn",
    "Interval",
    "NetworkSpec",
    "OodDetector",
    "OodPart",
    "PhotoPooling",
    "PredictionSets",
    "Provenance",
    "bundle_file_sha256",
    "bundle_folder",
    "bundle_members",
    "check_is_bundle",
    "describe_bundle",
    "exported_engines",
    "is_bundle_address",
    "pack_bundle",
    "read_bundle",
    "read_thumbnail",
    "thumbnail_names",
    "unpack_bundle",
    "unreadable",
    "update_bundle",
    "write_bundle",
]
