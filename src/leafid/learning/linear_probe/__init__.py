"""The linear probe: a shrunk LDA head on the embeddings of the frozen network."""
