"""How fast Ringfence is, beside the least that could be done and beside what a user would have instead."""
