"""Layer 3: rows and labels from files, or made from a signature."""
