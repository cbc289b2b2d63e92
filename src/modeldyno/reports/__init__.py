"""Layer 2: records in, text out. Knows no runtime, no socket and no clock."""
