"""Other ways of finding copies, from their published parameters, on the same corpus and the same copies."""
