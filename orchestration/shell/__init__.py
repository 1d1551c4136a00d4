"""The interactive shell over the published file.

What belongs here: statements and commands, completion, the terminal. What doesn't: reading (``reading``).
"""
