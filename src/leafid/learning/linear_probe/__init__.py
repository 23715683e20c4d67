"""The linear probe: a shrunk LDA head on the features of the frozen network, chosen out of fold."""
