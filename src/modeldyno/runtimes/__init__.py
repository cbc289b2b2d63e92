"""Layer 3: what executes artifacts, one file each; no runtime is imported before it is used."""
