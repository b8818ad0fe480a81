"""From plan to records: a `coordinator` that asks and tells, `worker` processes that train."""
