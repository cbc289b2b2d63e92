"""Layer 4: experiments: warm up, interleave, stop, compare. Knows sessions only by their protocol."""
