"""Layer 3: this machine: cores that may be used, the environment, and the cost of a process."""
