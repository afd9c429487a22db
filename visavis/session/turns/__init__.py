"""Who has the floor: when the person begins, pauses, ends, and whether what is heard while the digital human speaks is meant."""
