"""The shop, declared: services, their operations, who calls whom how often, and what users come to do.

All figures are those of an ordinary afternoon; `_fluid` turns them into load, `_requests` into single requests.
"""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Service:
    """One service of the shop.

    `runtime` decides how it logs failures, `log` the line format; `utilisation` is the share of its workers busy at
    base load; `business_errors` the share of answers that are refusals and no fault (declined card, unknown user,
    rolled-back transaction); `noise` scales the noise of its metrics; `memory_mb` is the resident memory at rest.
    """

    name: str
    runtime: str
    log: str
    replicas: int
    utilisation: float
    business_errors: float
    noise: float
    memory_mb: float
    stateful: bool = False  # database, cache or queue: shows disk_usage, is not redeployed


@dataclass(frozen=True)
class Call:
    """An operation calls another ("service/operation") with this probability; `cached`: only where the cache missed."""

    target: str
    probability: float = 1.0
    cached: bool = False


@dataclass(frozen=True)
class Operation:
    """Work of one service: own time in ms, then its calls in turn. `write` operations need disk space."""

    own_ms: float
    calls: tuple[Call, ...] = ()
    write: bool = False


@dataclass(frozen=True)
class Policy:
    """How a caller treats a callee: time-out of one attempt (ms), retries, and whether failure fails the caller."""

    timeout_ms: float
    retries: int = 0
    hard: bool = True


SERVICES = (
    Service("gateway", "nginx", "nginx", 3, 0.35, 0.0010, 0.6, 220),
    Service("frontend", "node", "pino", 4, 0.45, 0.0015, 0.7, 640),
    Service("auth", "dotnet", "serilog", 3, 0.45, 0.025, 1.0, 420),
    Service("user-db", "postgres", "postgres", 1, 0.30, 0.030, 1.4, 1900, stateful=True),
    Service("cart", "java", "spring", 3, 0.45, 0.006, 1.1, 900),
    Service("redis", "redis", "redis", 1, 0.35, 0.010, 1.2, 1400, stateful=True),
    Service("catalog", "go", "logfmt", 3, 0.50, 0.012, 1.1, 310),
    Service("catalog-db", "postgres", "postgres", 1, 0.45, 0.040, 1.4, 3800, stateful=True),
    Service("search", "cpp", "glog", 2, 0.50, 0.008, 1.3, 2100),
    Service("checkout", "go", "zap", 3, 0.40, 0.010, 1.1, 280),
    Service("payment", "python", "python", 3, 0.50, 0.040, 1.5, 510),
    Service("orders", "java", "log4j", 3, 0.45, 0.006, 1.2, 1100),
    Service("orders-db", "postgres", "postgres", 1, 0.40, 0.040, 1.4, 4200, stateful=True),
    Service("inventory", "rust", "tracing", 2, 0.45, 0.020, 1.3, 160),
    Service("rabbitmq", "rabbitmq", "rabbitmq", 1, 0.25, 0.020, 1.3, 800, stateful=True),
    Service("fulfillment", "python", "celery", 2, 0.45, 0.010, 1.6, 460),
    Service("shipping", "c", "syslog5424", 2, 0.45, 0.012, 1.6, 130),
    Service("notification", "perl", "syslog", 2, 0.45, 0.015, 1.8, 240),
)
NODES = (
    ("gateway", "payment", "catalog-db"),
    ("frontend", "search", "user-db"),
    ("auth", "orders", "rabbitmq"),
    ("cart", "shipping", "orders-db"),
    ("catalog", "fulfillment", "notification"),
    ("checkout", "inventory", "redis"),
)
"""Which services share a machine."""

NAMES = tuple(service.name for service in SERVICES)
INDEX = {name: number for number, name in enumerate(NAMES)}

OPERATIONS: dict[str, Operation] = {
    "gateway/GET /": Operation(0.8, (Call("frontend/home"),)),
    "gateway/GET /product": Operation(0.8, (Call("frontend/product"),)),
    "gateway/GET /search": Operation(0.8, (Call("frontend/search"),)),
    "gateway/GET /cart": Operation(0.8, (Call("frontend/cart"),)),
    "gateway/POST /cart": Operation(0.9, (Call("frontend/addToCart"),)),
    "gateway/POST /checkout": Operation(0.9, (Call("frontend/checkout"),)),
    "gateway/POST /login": Operation(0.9, (Call("frontend/login"),)),
    "gateway/GET /account": Operation(0.8, (Call("frontend/account"),)),
    "frontend/home": Operation(7, (Call("auth/Verify", 0.3), Call("catalog/ListProducts"), Call("cart/GetCart", 0.3))),
    "frontend/product": Operation(
        6, (Call("catalog/GetProduct"), Call("inventory/Check", 0.4), Call("cart/GetCart", 0.2))
    ),
    "frontend/search": Operation(6, (Call("search/Query"),)),
    "frontend/cart": Operation(5, (Call("auth/Verify"), Call("cart/GetCart"), Call("shipping/Quote", 0.5))),
    "frontend/addToCart": Operation(5, (Call("auth/Verify"), Call("cart/AddItem"))),
    "frontend/checkout": Operation(9, (Call("auth/Verify"), Call("checkout/PlaceOrder"))),
    "frontend/login": Operation(4, (Call("auth/Login"),)),
    "frontend/account": Operation(6, (Call("auth/Verify"), Call("orders/List"))),
    "auth/Verify": Operation(1.5, (Call("redis/GET"),)),
    "auth/Login": Operation(32, (Call("user-db/SELECT"), Call("redis/SET"))),
    "cart/GetCart": Operation(3, (Call("redis/HGETALL"),)),
    "cart/AddItem": Operation(4, (Call("catalog/GetProduct"), Call("inventory/Check", 0.5), Call("redis/HSET"))),
    "cart/EmptyCart": Operation(2, (Call("redis/DEL"),)),
    "catalog/ListProducts": Operation(5, (Call("redis/GET"), Call("catalog-db/SELECT", 0.25, cached=True))),
    "catalog/GetProduct": Operation(3, (Call("redis/GET"), Call("catalog-db/SELECT", 0.20, cached=True))),
    "search/Query": Operation(16, (Call("catalog/ListProducts"),)),
    "inventory/Check": Operation(2, (Call("catalog-db/SELECT", 0.6),)),
    "inventory/Reserve": Operation(3, (Call("catalog-db/UPDATE"),)),
    "checkout/PlaceOrder": Operation(
        8,
        (
            Call("cart/GetCart"),
            Call("inventory/Reserve"),
            Call("shipping/Quote"),
            Call("payment/Charge"),
            Call("orders/Create"),
            Call("cart/EmptyCart"),
        ),
    ),
    "payment/Charge": Operation(60, (Call("user-db/SELECT", 0.8),)),
    "orders/Create": Operation(7, (Call("orders-db/INSERT"), Call("rabbitmq/publish"))),
    "orders/List": Operation(6, (Call("orders-db/SELECT"),)),
    "fulfillment/handle": Operation(
        18,
        (
            Call("rabbitmq/consume"),
            Call("orders-db/UPDATE"),
            Call("shipping/CreateLabel"),
            Call("notification/Send"),
        ),
    ),
    "shipping/Quote": Operation(6),
    "shipping/CreateLabel": Operation(22),
    "notification/Send": Operation(26, (Call("user-db/SELECT"),)),
    "user-db/SELECT": Operation(2.5),
    "catalog-db/SELECT": Operation(5),
    "catalog-db/UPDATE": Operation(4, write=True),
    "orders-db/SELECT": Operation(7),
    "orders-db/INSERT": Operation(5, write=True),
    "orders-db/UPDATE": Operation(4, write=True),
    "redis/GET": Operation(0.4),
    "redis/SET": Operation(0.5, write=True),
    "redis/HGETALL": Operation(0.5),
    "redis/HSET": Operation(0.5, write=True),
    "redis/DEL": Operation(0.4, write=True),
    "rabbitmq/publish": Operation(1.2, write=True),
    "rabbitmq/consume": Operation(0.9),
}

JOURNEYS: dict[str, float] = {
    "gateway/GET /": 0.20,
    "gateway/GET /product": 0.26,
    "gateway/GET /search": 0.13,
    "gateway/GET /cart": 0.09,
    "gateway/POST /cart": 0.11,
    "gateway/POST /checkout": 0.11,
    "gateway/POST /login": 0.05,
    "gateway/GET /account": 0.05,
}
"""What users do, as shares of requests."""

CONSUMER = "fulfillment/handle"
"""Runs once per message that `orders/Create` has published, when the consumer gets to it (asynchronous)."""

POLICIES: dict[tuple[str, str], Policy] = {
    ("gateway", "frontend"): Policy(5000),
    ("frontend", "auth"): Policy(300, retries=1),
    ("frontend", "catalog"): Policy(500, retries=1),
    ("frontend", "cart"): Policy(450, retries=1),
    ("frontend", "inventory"): Policy(200, hard=False),
    ("frontend", "search"): Policy(700),
    ("frontend", "shipping"): Policy(250, hard=False),
    ("frontend", "checkout"): Policy(2500),
    ("frontend", "orders"): Policy(700, retries=1),
    ("auth", "redis"): Policy(80, retries=1),
    ("auth", "user-db"): Policy(300),
    ("cart", "redis"): Policy(80, retries=2),
    ("cart", "catalog"): Policy(300, retries=1),
    ("cart", "inventory"): Policy(150, hard=False),
    ("catalog", "redis"): Policy(60, hard=False),
    ("catalog", "catalog-db"): Policy(200, retries=1),
    ("search", "catalog"): Policy(400, retries=1),
    ("inventory", "catalog-db"): Policy(200, retries=1),
    ("checkout", "cart"): Policy(300, retries=1),
    ("checkout", "inventory"): Policy(350, retries=1),
    ("checkout", "shipping"): Policy(300, hard=False),
    ("checkout", "payment"): Policy(900),
    ("checkout", "orders"): Policy(700, retries=1),
    ("payment", "user-db"): Policy(250, retries=1),
    ("orders", "orders-db"): Policy(300, retries=1),
    ("orders", "rabbitmq"): Policy(250, retries=2),
    ("fulfillment", "rabbitmq"): Policy(300, retries=2),
    ("fulfillment", "orders-db"): Policy(400, retries=2),
    ("fulfillment", "shipping"): Policy(500, retries=2),
    ("fulfillment", "notification"): Policy(700, retries=1, hard=False),
    ("notification", "user-db"): Policy(300, retries=1),
}
EDGES = tuple(POLICIES)
EDGE_INDEX = {edge: number for number, edge in enumerate(EDGES)}


def service_of(operation: str) -> str:
    """Return the service of an operation key "service/operation"."""
    return operation.split("/", 1)[0]


def neighbours(service: str) -> tuple[int, ...]:
    """Return the numbers of the services that share a machine with a service, itself left out."""
    return tuple(INDEX[name] for node in NODES if service in node for name in node if name != service)


def callers(service: str) -> tuple[int, ...]:
    """Return the numbers of the edges that end at a service."""
    return tuple(number for number, (_, callee) in enumerate(EDGES) if callee == service)


@cache
def visits() -> dict[str, float]:
    """Return how often each operation runs per user request at base miss ratio, without retries."""
    found: dict[str, float] = dict.fromkeys(OPERATIONS, 0.0)

    def visit(key: str, rate: float) -> None:
        found[key] += rate
        for call in OPERATIONS[key].calls:
            visit(call.target, rate * call.probability)

    for key, share in JOURNEYS.items():
        visit(key, share)
    visit(CONSUMER, found["orders/Create"])
    return found
