"""What runs leave behind: written through MLflow (`writer`), read back with one query (`store`)."""

from suite.records.store import RecordStore, RunRecord

__all__ = ["RecordStore", "RunRecord"]
