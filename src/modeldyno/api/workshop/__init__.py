"""What a search asks for: candidates, races, proofs, bundles."""
