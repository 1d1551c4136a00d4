"""Everything that makes Ringfence's pipeline run: contract, ingestion, assembly, publishing, outward surfaces.

Business meaning (formulas, relations, findings) is not here but in ``dbt_project/``.
"""
