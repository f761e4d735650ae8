"""What `make run` promises: it keeps its data to itself, heals, and starts again after a kill.

The store, the web server and the flusher are killed in `test_exact.py`.
"""

import json

from loadtest.common.launcher import Copy
from loadtest.common.waiting import wait_until
from tests.live.fixtures import kill

STARTED = 300.0  # seconds; on a busy machine everything may take long


def test_it_serves_and_no_other_user_can_read_what_it_keeps(service: Copy) -> None:
    assert service.get("/healthz")[0] == 200
    assert json.loads(service.get("/api/v1/pages/")[1])["count"] >= 5
    assert "Administrator admin, password " in service.output
    # No key, no file, no socket.
    kept = {path.name: path.stat().st_mode & 0o077 for path in service.data_dir.iterdir()}
    assert {name for name, others in kept.items() if others} == {"output"}
    assert {"secret-key", "database-url", "processes.json", "postgres", "redis"} <= set(kept)


def test_a_second_one_of_the_same_directory_is_refused(service: Copy) -> None:
    second = Copy(service.data_dir, service.port)

    assert second.process.wait(60) == 2
    used = f"DATA_DIR {service.data_dir} is in use by process {service.process.pid}"
    assert used in second.output


def test_a_worker_that_dies_is_started_again(service: Copy) -> None:
    kill(service, "worker")


def test_it_starts_again_with_its_data_after_its_supervisor_was_killed(service: Copy) -> None:
    starts = service.output.count("footfall | ready after")
    service.process.kill()
    service.process.wait()

    service.start()

    wait_until(lambda: service.output.count("footfall | ready after") > starts, STARTED)
    told = [
        line for line in service.output.splitlines() if "Administrator admin, password " in line
    ]
    assert len(told) == 1  # by the first start
    wait_until(lambda: service.get("/api/v1/pages/1/")[0] == 200, STARTED)
    wait_until(lambda: service.get("/readyz")[0] == 200, STARTED)  # for the tests after it
