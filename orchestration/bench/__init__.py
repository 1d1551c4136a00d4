"""Benchmarks: what Ringfence finds and how fast, beside what people use today, measured in the same run."""
