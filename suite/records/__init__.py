"""What runs leave behind: written through MLflow (`writer`), read back (`store`, `server`)."""

from suite.records.reader import RecordReader, open_records
from suite.records.store import RecordStore, RunRecord
from suite.records.tracking import TrackingServer

__all__ = ["RecordReader", "RecordStore", "RunRecord", "TrackingServer", "open_records"]
