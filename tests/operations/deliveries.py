"""Sources, and what their deliveries leave in a landing zone, without pulling anything."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

from orchestration.connectors.delivery import DeliveredFile, Manifest
from orchestration.landing.manifests import manifest_path

SOURCES = {
    "sources": {
        name: {"kind": "price_files", "folder": "/nowhere", "pattern": "*.csv", "asset": "FTT"}
        for name in ("first", "second", "third")
    }
}


def deliver(landing: Path, source: str, day: date, rows: int) -> Path:
    """What a source's delivery of a day leaves in the landing zone."""
    window = (datetime(day.year, day.month, day.day), datetime(day.year, day.month, day.day) + timedelta(days=1))
    files = (DeliveredFile("token_prices", f"token_prices/date={day}/{source}.parquet", rows, rows * 100, "0"),)
    manifest = Manifest(source, "price_files", day, window, None, window[1] + timedelta(minutes=5), files)
    path = manifest_path(landing, source, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(manifest.as_json(), encoding="utf-8")
    return path
