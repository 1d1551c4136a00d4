"""Scripts that Streamlit runs, one a page: each asks its questions and lays the answers out.

The folder isn't named pages: Streamlit takes a folder of that name for the whole app until it has run, and the
first address opened would be a script without the app around it.
"""
