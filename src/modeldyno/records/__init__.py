"""Layer 0: frozen, versioned nouns with units in their names. Later commands only read these."""
