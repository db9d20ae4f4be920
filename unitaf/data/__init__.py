"""Training data: recordings with face capture in, clips with cached features and batches out."""
