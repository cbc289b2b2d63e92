"""Layer 1: predictions and truth in, quality with intervals out."""
