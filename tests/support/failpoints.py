"""Every place where a process is made to die, in the order of its way, and what it leaves behind.

`tests/footfall/test_crashes.py` and `tests/uploads/processing/test_crashes.py` kill real processes
at each of them. `tests/test_failpoints.py` fails on one that is not here, and on a step that has
none.
"""

# A view is recorded: where it goes, and how often it is counted although nobody was answered.
RECORD = {
    "after_append": ("log", 1),
    "before_spill": ("spill", 0),
    "after_spill": ("spill", 1),
}

# An ingest: whether its events are stored by then. None of them is counted yet.
INGEST = {
    "after_read": False,
    "after_keys": False,
    "after_agents": False,
    "before_store": False,
    "before_ingest_commit": False,
    "after_ingest_commit": True,
    "after_trim": True,
}

# The projections: whether the counters of contents have the views by then; None where another
# thread of the process may be as far or not.
PROJECT = {
    "totals_before_apply": False,
    "totals_after_apply": False,
    "totals_before_commit": False,
    "totals_after_commit": True,
    "hourly_before_apply": None,
    "hourly_after_apply": None,
    "hourly_before_commit": None,
    "hourly_after_commit": None,
    "after_publish": None,
}

# Kept counters are copied into the column of their model, in its database.
COPY = (
    "copy_before_commit",
    "copy_after_commit",
    "copy_before_chunk",
    "copy_after_chunk",
)

# A compaction of the event store: it changes no counter.
COMPACT = ("before_compact_commit", "after_compact_commit")

# Events leave the store into the base: that changes no counter, either.
REMOVE = ("before_remove_commit", "after_remove_commit")

# Views are counted again, and corrected: in chunks, each with its progress.
RECOUNT = (
    "before_recount_commit",
    "after_recount_commit",
    "before_repair_commit",
    "after_repair_commit",
    "before_rebuild_commit",
    "after_rebuild_commit",
    "before_policy_commit",
    "after_policy_commit",
    "before_rebuild_end",
    "after_rebuild_end",
    "before_adopt_commit",
    "after_adopt_commit",
)

# Visitors are counted, and counted again: only where events say who viewed.
VISITORS = {
    "project": (
        "visitors_before_apply",
        "visitors_after_apply",
        "visitors_before_commit",
        "visitors_after_commit",
    ),
    "recount": (
        "before_visitors_rebuild",
        "after_visitors_rebuild",
        "before_visitors_commit",
        "after_visitors_commit",
        "before_visitors_swap",
        "after_visitors_swap",
    ),
}
# Agents are classified anew, and the past is corrected: in chunks, each with its progress.
RECLASSIFY = (
    "before_reclassify_begin",
    "after_reclassify_begin",
    "before_reclassify_commit",
    "after_reclassify_commit",
    "before_reclassify_end",
    "after_reclassify_end",
)

# A file is received and published: whether there is a row, and entries in the queue.
UPLOAD = {
    "upload_received": (False, 0),
    "upload_stored": (False, 0),
    "upload_recorded": (False, 0),
    "upload_committed": (True, 0),
    "upload_appended": (True, 1),
}

# A file is processed: its status by then, whether its entry is in the queue, attempts in the end.
WORK = {
    "upload_read": ("received", True, 1),
    "upload_claimed": ("processing", True, 2),
    "upload_acknowledged": ("processing", False, 2),
    "upload_processed": ("processing", False, 2),
    "upload_thumbnail_stored": ("processing", False, 2),
    "upload_finished": ("processed", False, 1),
    "upload_settled": ("processed", False, 1),
}

# A file is given up: whether it is a dead letter by then.
GIVEN_UP = {"upload_acknowledged": False, "upload_finished": True, "upload_settled": True}

ALL = {
    *RECORD,
    *INGEST,
    *PROJECT,
    *COPY,
    *COMPACT,
    *REMOVE,
    *RECOUNT,
    *VISITORS["project"],
    *VISITORS["recount"],
    *RECLASSIFY,
    *UPLOAD,
    *WORK,
    *GIVEN_UP,
}

# The steps of the pipelines, and where a process dies first after each.
STEPS = {
    "footfall/flush.py:_ingest": {
        "owner": "after_read",
        "newest_of_log": "after_read",
        "unknown_partitions": "after_read",
        "claim": "after_read",
        "key_prefix": "after_read",
        "find_conflict": "after_read",
        "read": "after_read",
        "drain_spill": "after_read",
        "load_producer_states": "after_read",
        "keep_agents": "after_agents",
        "deduplicate": "after_read",
        "decode_events": "after_read",
        "drop_repeated": "after_keys",
        "build": "after_agents",
        "store_dead_letters": "before_store",
        "save_progress": "before_store",
        "append": "before_ingest_commit",
        "open_projections": "before_ingest_commit",
        "note_newest": "after_trim",
        "trim": "after_trim",
    },
    "footfall/flush.py:project": {
        "apply_new_events": "after_publish",
        "publish": "after_publish",
    },
    "footfall/projections/totals.py:project_totals": {
        "claim": "totals_before_apply",
        "agrees": "totals_before_apply",
        "note_counted_before": "totals_before_apply",
        "take": "totals_after_apply",
        "keep_new": "totals_after_apply",
        "apply": "totals_after_apply",
        "move": "totals_before_commit",
    },
    "footfall/projections/hourly.py:project_hourly": {
        "claim": "hourly_before_apply",
        "apply": "hourly_after_apply",
        "move": "hourly_before_commit",
    },
    "footfall/projections/visitors/daily.py:project_visitors": {
        "claim": "visitors_before_apply",
        "apply": "visitors_after_apply",
        "move": "visitors_before_commit",
    },
    "uploads/processing/worker.py:process_next": {
        "read_entry": "upload_read",
        "acknowledge": "upload_acknowledged",
        "attempt": "upload_settled",
    },
    "uploads/processing/worker.py:attempt": {
        "process_file": "upload_thumbnail_stored",
        "finish_patiently": "upload_finished",
    },
}
