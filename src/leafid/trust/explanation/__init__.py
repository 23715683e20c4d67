"""Heat maps: where in a photo the network finds evidence for a taxon."""
