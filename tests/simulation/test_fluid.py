import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation import NAMES, make_fault
from simulation._fluid import BASE_RATE, Flow, Fluid, wait_seconds
from simulation._life import Conditions, Life
from simulation._topology import INDEX, visits


def settled() -> tuple[Fluid, Flow]:
    fluid = Fluid()
    for _ in range(20):
        flow = fluid.step(Conditions(), 1.0)
    return fluid, flow


@given(st.integers(1, 40), st.floats(0.001, 1.0))
def test_the_wait_grows_with_utilisation(servers, service_s):
    rho = np.linspace(0.01, 0.96, 40)
    waits = wait_seconds(rho, np.full(40, float(servers)), np.full(40, service_s))
    assert (np.diff(waits) > 0).all()


def test_one_server_waits_as_m_m_1_does():
    rho = np.array([0.5, 0.8, 0.9])
    assert wait_seconds(rho, np.ones(3), np.ones(3)) == pytest.approx(rho / (1 - rho), rel=0.05)


def test_ordinary_load_is_carried_without_failures():
    _, flow = settled()
    assert flow.utilisation.max() < 0.7
    assert flow.failed.max() < 0.002
    for name in ("frontend", "catalog-db", "fulfillment"):
        expected = BASE_RATE * sum(rate for key, rate in visits().items() if key.startswith(f"{name}/"))
        assert flow.arrivals[INDEX[name]] == pytest.approx(expected, rel=0.02)


def run(fault, seconds=100):
    """Flows of each second under a fault that begins at once, with ordinary life left out."""
    fluid, before = settled()
    life = Life(0, [fault])
    flows = []
    for second in range(seconds):
        now = Conditions()
        life._apply(fault, second, now)
        flows.append(fluid.step(now, 1.0))
    return fluid, before, flows


def test_failures_climb_the_call_graph_one_call_a_second():
    _, before, flows = run(make_fault("dependency_down", "high", "orders-db", 0))

    def first(name: str) -> int:
        number = INDEX[name]
        return next(second for second, flow in enumerate(flows) if flow.failed[number] > before.failed[number] + 0.01)

    order = [first(name) for name in ("orders", "checkout", "frontend", "gateway")]
    assert order == sorted(order)
    assert order[0] < order[-1]


def test_retries_load_a_healthy_service_when_its_neighbour_fails():
    _, before, flows = run(make_fault("dependency_down", "high", "redis", 0))
    assert flows[-1].arrivals[INDEX["auth"]] > 1.5 * before.arrivals[INDEX["auth"]]


def test_a_network_delay_shows_at_the_callers_and_not_at_the_service():
    _, before, flows = run(make_fault("network_delay", "high", "payment", 0))
    payment, checkout = INDEX["payment"], INDEX["checkout"]
    assert flows[-1].response_s[payment] == pytest.approx(before.response_s[payment], rel=0.05)
    assert flows[-1].response_s[checkout] > before.response_s[checkout] + 0.1


def test_a_hog_slows_the_service_most_and_its_callers_too():
    _, before, flows = run(make_fault("cpu_hog", "high", "catalog", 0))
    growth = flows[-1].response_s / before.response_s
    assert growth[INDEX["catalog"]] > 1.5
    assert growth[INDEX["frontend"]] > 1.1


def test_messages_pile_up_while_the_consumer_is_slow_and_drain_afterwards():
    fluid, _, flows = run(make_fault("crash_loop", "high", "fulfillment", 0))
    broker = INDEX["rabbitmq"]
    assert max(flow.queue[broker] for flow in flows) > 100
    for _ in range(300):
        flow = fluid.step(Conditions(), 1.0)
    assert flow.queue[broker] < 5


@pytest.mark.parametrize(
    "fault",
    [("slow_query", "catalog-db"), ("dependency_down", "redis"), ("network_delay", "auth"), ("packet_loss", "user-db")],
)
def test_the_shop_recovers(fault):
    fluid, before, _ = run(make_fault(fault[0], "high", fault[1], 0))
    for _ in range(240):
        after = fluid.step(Conditions(), 1.0)
    assert after.response_s == pytest.approx(before.response_s, rel=0.05)
    assert after.failed.max() < 0.002
    assert len(after.failed) == len(NAMES)
