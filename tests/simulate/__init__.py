"""The simulator's own promises, re-checked from its files without its code."""
