from concurrent.futures import ThreadPoolExecutor

from footfall.common.breaker import CircuitBreaker


def test_a_closed_circuit_allows_everything() -> None:
    breaker = CircuitBreaker()

    assert all(breaker.allows() for _ in range(10))


def test_an_open_circuit_lets_one_try_at_a_time() -> None:
    now = [0.0]
    breaker = CircuitBreaker(reset_after=1, clock=lambda: now[0])
    breaker.failed()

    assert not breaker.allows()
    now[0] = 1.0
    with ThreadPoolExecutor(8) as threads:
        allowed = list(threads.map(lambda _: breaker.allows(), range(50)))
    assert sum(allowed) == 1


def test_success_closes_it() -> None:
    breaker = CircuitBreaker()
    breaker.failed()
    assert not breaker.allows()

    breaker.succeeded()

    assert breaker.allows()
    assert not breaker.is_open


def test_a_failed_try_opens_it_for_another_while() -> None:
    now = [0.0]
    breaker = CircuitBreaker(reset_after=1, clock=lambda: now[0])
    breaker.failed()
    now[0] = 1.0
    assert breaker.allows()
    breaker.failed()
    now[0] = 1.9

    assert not breaker.allows()
