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

# A flush: whether its batch is committed by then.
FLUSH = {
    "after_read": False,
    "after_apply": False,
    "before_commit": False,
    "after_commit": True,
    "before_publish": True,
    "before_trim": True,
    "after_trim": True,
}

# A file is received and published: whether there is a row, and entries in the queue.
UPLOAD = {
    "upload_received": (False, 0),
    "upload_stored": (False, 0),
    "upload_recorded": (False, 0),
    "upload_committed": (True, 0),
    "upload_appended": (True, 1),
    "upload_published": (True, 1),
}

# A file is processed: its status by then, whether its entry is in the queue, attempts in the end.
WORK = {
    "upload_read": ("received", True, 1),
    "upload_claimed": ("processing", True, 2),
    "upload_processed": ("processing", True, 2),
    "upload_thumbnail_stored": ("processing", True, 2),
    "upload_finished": ("processed", True, 1),
    "upload_removed": ("processed", False, 1),
}

# A file is given up: whether its dead letter is written by then.
GIVEN_UP = {"upload_finished": False, "upload_removed": True}

ALL = {*RECORD, *FLUSH, *UPLOAD, *WORK, *GIVEN_UP}

# The steps of the two pipelines, and where a process dies first after each.
STEPS = {
    "footfall/flush.py:flush": {
        "claim": "after_read",
        "read": "after_read",
        "drain_spill": "after_read",
        "load_producer_states": "after_read",
        "deduplicate": "after_read",
        "aggregate": "after_apply",
        "store_dead_letters": "after_apply",
        "apply": "after_apply",
        "roll_up": "after_apply",
        "save_progress": "before_commit",
        "note_locations": "before_publish",
        "publish": "before_trim",
        "trim": "after_trim",
    },
    "uploads/processing/worker.py:process_next": {
        "read_entry": "upload_read",
        "claim_file": "upload_claimed",
        "process_file": "upload_thumbnail_stored",
        "finish": "upload_finished",
        "remove_entry": "upload_removed",
    },
}
