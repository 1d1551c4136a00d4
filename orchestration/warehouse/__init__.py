"""The pipeline's own database: its lock, its connections, and dbt over it."""
