"""Explanations: heat maps (class activation maps) of the evidence for a taxon in a photo."""
