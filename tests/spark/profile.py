"""What the dbt profile asks of Spark: tests run under the settings that users get."""

from __future__ import annotations

import yaml

from orchestration.settings import DBT_PROJECT


def spark_parameters() -> dict[str, str]:
    """The parameters of profile ringfence, target spark."""
    profile = yaml.safe_load((DBT_PROJECT / "profiles.yml").read_text(encoding="utf-8"))
    parameters: dict[str, str] = profile["ringfence"]["outputs"]["spark"]["server_side_parameters"]
    return parameters
