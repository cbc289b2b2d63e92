"""Layer 7: arguments in, text out."""
