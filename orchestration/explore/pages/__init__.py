"""Scripts that Streamlit runs, one a page: each asks its questions and lays the answers out."""
