"""The explorer: a local web page over the published file, for people who click rather than query.

What belongs here: questions to the published file and pages that show the answers. What doesn't: anything that writes.
Only ``app``, ``screens`` and what draws (``address``, ``charts``, ``showing``) know Streamlit.
"""
