"""The Darwin Core terms that a table of specimens may have as columns, with their addresses.

From the quick reference, dwc.tdwg.org/terms: the classes that the core Occurrence of an archive takes.
"""

DWC = "http://rs.tdwg.org/dwc/terms/"
DCTERMS = "http://purl.org/dc/terms/"

OCCURRENCE = f"{DWC}Occurrence"
IDENTIFICATION = f"{DWC}Identification"
"""Row types of the core and of the extension of an archive."""

_DUBLIN_CORE = "accessRights bibliographicCitation language license modified references rightsHolder type"

_DARWIN_CORE = """
institutionID collectionID datasetID institutionCode collectionCode datasetName ownerInstitutionCode basisOfRecord
informationWithheld dataGeneralizations dynamicProperties
occurrenceID catalogNumber recordNumber recordedBy recordedByID individualCount organismQuantity organismQuantityType
sex lifeStage reproductiveCondition caste behavior vitality establishmentMeans degreeOfEstablishment pathway
georeferenceVerificationStatus occurrenceStatus associatedMedia associatedOccurrences associatedReferences
associatedTaxa otherCatalogNumbers occurrenceRemarks
organismID organismName organismScope associatedOrganisms previousIdentifications organismRemarks
materialEntityID preparations disposition verbatimLabel associatedSequences materialEntityRemarks materialSampleID
eventID parentEventID eventType fieldNumber eventDate eventTime startDayOfYear endDayOfYear year month day
verbatimEventDate habitat samplingProtocol sampleSizeValue sampleSizeUnit samplingEffort fieldNotes eventRemarks
locationID higherGeographyID higherGeography continent waterBody islandGroup island country countryCode stateProvince
county municipality locality verbatimLocality minimumElevationInMeters maximumElevationInMeters verbatimElevation
verticalDatum minimumDepthInMeters maximumDepthInMeters verbatimDepth minimumDistanceAboveSurfaceInMeters
maximumDistanceAboveSurfaceInMeters locationAccordingTo locationRemarks decimalLatitude decimalLongitude geodeticDatum
coordinateUncertaintyInMeters coordinatePrecision pointRadiusSpatialFit verbatimCoordinates verbatimLatitude
verbatimLongitude verbatimCoordinateSystem verbatimSRS footprintWKT footprintSRS footprintSpatialFit georeferencedBy
georeferencedDate georeferenceProtocol georeferenceSources georeferenceRemarks
identificationID verbatimIdentification identificationQualifier typeStatus identifiedBy identifiedByID dateIdentified
identificationReferences identificationVerificationStatus identificationRemarks
taxonID scientificNameID acceptedNameUsageID parentNameUsageID originalNameUsageID nameAccordingToID namePublishedInID
taxonConceptID scientificName acceptedNameUsage parentNameUsage originalNameUsage nameAccordingTo namePublishedIn
namePublishedInYear higherClassification kingdom phylum class order superfamily family subfamily tribe subtribe genus
genericName subgenus infragenericEpithet specificEpithet infraspecificEpithet cultivarEpithet taxonRank
verbatimTaxonRank scientificNameAuthorship vernacularName nomenclaturalCode taxonomicStatus nomenclaturalStatus
taxonRemarks
"""

TERMS = {name: DWC + name for name in _DARWIN_CORE.split()} | {name: DCTERMS + name for name in _DUBLIN_CORE.split()}
"""Address of each term by its name."""

_BY_LOWER_CASE = {name.lower(): name for name in TERMS}


def term_of(column: str) -> str | None:
    """Return the term that a column of a table means, whatever its case; None if it is no term."""
    return _BY_LOWER_CASE.get(column.strip().lower())
