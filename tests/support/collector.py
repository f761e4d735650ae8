"""The pytest plugin that spares Python's garbage collector (`-p tests.support.collector`).

What is imported stays until the end. To look through all of it again and again took a seventh of
the processor time of most tests. What is new is looked through rarely, which took a tenth.
"""

import gc

gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)
    gc.enable()
