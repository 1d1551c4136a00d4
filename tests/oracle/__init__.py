"""An independent re-computation of DOMAIN.md in plain Python: slow, obvious, Decimal all the way.

What belongs here: formulas written from DOMAIN.md alone. What doesn't: anything read from the SQL models; two
readings of one text are only worth comparing if neither has seen the other.
"""
