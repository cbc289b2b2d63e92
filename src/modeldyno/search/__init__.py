"""Layer 5: the search: proposes deployments, drops what is clearly worse, picks finalists and explains."""
