# ruff: noqa: E501  (a text stays whole, so that it can be searched for)
"""What the services say. A text's `{names}` are filled by `_words`; nothing here knows whether a fault is on.

`DONE`: after an operation, with a probability. `BACKGROUND`: by themselves, per minute. `REFUSALS`: business answers of
no. `STARTUP`, `NEW`: after a (re)start; texts a later release brings. `STACKS`: an exception of the service's own code.
"""

Line = tuple[float, str, str, str]  # probability or rate a minute, level, component, text

DONE: dict[str, tuple[Line, ...]] = {
    "frontend/home": ((0.25, "INFO", "http", "rendered home for {user} in {ms} ms ({n} tiles)"),),
    "frontend/product": (
        (0.2, "INFO", "http", "rendered product page {sku} in {ms} ms"),
        (0.06, "DEBUG", "ssr", "component ProductCarousel hydrated with {n} items"),
    ),
    "frontend/search": ((0.3, "INFO", "http", "search '{word}' returned {n} results in {ms} ms"),),
    "frontend/cart": ((0.3, "INFO", "http", "rendered cart for {user} in {ms} ms"),),
    "frontend/addToCart": ((0.4, "INFO", "http", "{user} added {sku} x{few} to cart"),),
    "frontend/checkout": (
        (1.0, "INFO", "checkout", "order {order} confirmed for {user} in {ms} ms"),
        (0.2, "INFO", "analytics", "funnel step=confirm session={hex} value={amount}"),
    ),
    "frontend/login": ((0.8, "INFO", "session", "session {hex} opened for {user}"),),
    "frontend/account": ((0.4, "INFO", "http", "rendered account page for {user} in {ms} ms"),),
    "auth/Verify": (
        (0.12, "INFO", "Shop.Auth.TokenValidator", "Token for {user} accepted, expires in {n} min"),
        (0.03, "DEBUG", "Shop.Auth.KeyRing", "Signing key {hex} selected for token validation"),
    ),
    "auth/Login": (
        (0.9, "INFO", "Shop.Auth.LoginHandler", "User {user} signed in from {ip}"),
        (0.3, "INFO", "Shop.Auth.SessionStore", "Session {hex} stored with ttl {big} s"),
    ),
    "cart/GetCart": (
        (0.25, "INFO", "c.s.cart.web.CartController", "Cart {hex} loaded with {n} items in {ms} ms"),
        (0.05, "DEBUG", "c.s.cart.store.RedisCartStore", "HGETALL cart:{hex} returned {n} fields"),
    ),
    "cart/AddItem": (
        (0.7, "INFO", "c.s.cart.web.CartController", "Added item {sku} quantity {few} to cart {hex}"),
        (0.1, "INFO", "c.s.cart.pricing.PriceService", "Price of {sku} refreshed: {amount} EUR"),
    ),
    "cart/EmptyCart": ((0.5, "INFO", "c.s.cart.web.CartController", "Cart {hex} emptied after order"),),
    "catalog/ListProducts": (
        (0.2, "INFO", "catalog/list.go:88", "listed {n} products in category {word}"),
        (0.08, "DEBUG", "catalog/cache.go:41", "cache hit for key list:{word}"),
    ),
    "catalog/GetProduct": (
        (0.2, "INFO", "catalog/get.go:52", "served product {sku}"),
        (0.05, "DEBUG", "catalog/cache.go:57", "cache miss for key product:{sku}"),
    ),
    "search/Query": (
        (0.7, "INFO", "query_server.cc:214", 'Query "{word}" matched {big} documents, returned {n} in {ms} ms'),
        (0.1, "INFO", "ranker.cc:97", "Ranked {n} candidates with model v{few}"),
        (0.04, "INFO", "spell.cc:33", 'Rewrote query "{word}" by dictionary {few}'),
    ),
    "checkout/PlaceOrder": (
        (0.9, "INFO", "checkout/service.go:131", "order placed order_id={order} user={user} total={amount}"),
        (0.5, "INFO", "checkout/service.go:87", "validated cart items={n} currency=EUR"),
        (0.3, "INFO", "checkout/quote.go:40", "shipping quote received cost={amount} days={few}"),
    ),
    "payment/Charge": (
        (0.9, "INFO", "payment.gateway", "Charge {hex} authorised: {amount} EUR, acquirer answered in {ms} ms"),
        (0.25, "INFO", "payment.risk", "Risk score {pct} for {user} below limit"),
        (0.1, "DEBUG", "payment.vault", "Card token {hex} resolved"),
    ),
    "orders/Create": (
        (0.9, "INFO", "com.shop.orders.OrderService", "Order {order} created for {user} with {few} lines"),
        (0.5, "INFO", "com.shop.orders.OutboxPublisher", "Published OrderCreated {order} to exchange orders"),
    ),
    "orders/List": ((0.5, "INFO", "com.shop.orders.OrderController", "Returned {few} orders of {user}"),),
    "inventory/Check": ((0.2, "INFO", "inventory::stock", "stock of {sku} is {n}"),),
    "inventory/Reserve": (
        (0.8, "INFO", "inventory::reserve", "reserved {few} of {sku} for order {order}"),
        (0.1, "DEBUG", "inventory::reserve", "reservation {hex} expires in 900s"),
    ),
    "fulfillment/handle": (
        (0.9, "INFO", "fulfillment.tasks.handle_order", "Task handle_order[{hex}] succeeded in {ms} ms"),
        (0.5, "INFO", "fulfillment.labels", "Label {hex} printed for order {order}"),
        (0.2, "INFO", "fulfillment.picking", "Order {order} assigned to aisle {few}"),
    ),
    "shipping/Quote": ((0.3, "INFO", "shipd", "quote zone={few} weight={n} cost={amount}"),),
    "shipping/CreateLabel": (
        (0.8, "INFO", "shipd", "label {hex} created for order {order} carrier={word}"),
        (0.2, "INFO", "shipd", "manifest {hex} appended, {n} parcels"),
    ),
    "notification/Send": (
        (0.9, "INFO", "mailer", "message {hex} sent to {user}@example.com relay=smtp-{few} delay={ms}ms"),
        (0.2, "INFO", "mailer", "template order_confirmation rendered in {few} ms"),
    ),
    "redis/HGETALL": ((0.004, "DEBUG", "M", "Client id={big} addr={ip} idle={few}"),),
    "rabbitmq/publish": ((0.02, "DEBUG", "<0.{big}.0>", "delivered message to queue orders.created"),),
}

REFUSALS: dict[str, tuple[str, str, str]] = {
    "frontend": ("WARN", "http", "bad request from {ip}: missing csrf token"),
    "auth": ("WARN", "Shop.Auth.LoginHandler", "Sign-in refused for {user}: invalid credentials"),
    "cart": ("WARN", "c.s.cart.web.CartController", "Cart {hex} not found"),
    "catalog": ("WARN", "catalog/get.go:61", "product {sku} not found"),
    "search": ("WARN", "query_server.cc:166", "Rejected malformed query from {ip}"),
    "checkout": ("WARN", "checkout/service.go:102", "order rejected reason=address_incomplete user={user}"),
    "payment": ("WARN", "payment.gateway", "Charge {hex} declined by issuer: code {few}"),
    "orders": ("WARN", "com.shop.orders.OrderController", "Duplicate order request {order} ignored"),
    "inventory": ("WARN", "inventory::reserve", "not enough stock of {sku}: wanted {few}"),
    "fulfillment": ("WARN", "fulfillment.picking", "Order {order} has an unknown aisle, sent to aisle {few}"),
    "shipping": ("WARN", "shipd", "address of order {order} not deliverable by carrier={word}"),
    "notification": ("WARN", "mailer", "recipient {user}@example.com rejected: mailbox unavailable"),
}

BACKGROUND: dict[str, tuple[Line, ...]] = {
    "gateway": (
        (0.5, "INFO", "error", "31#31: signal process started"),
        (
            0.6,
            "WARN",
            "error",
            "31#31: *{big} an upstream response is buffered to a temporary file /var/cache/nginx/{n}",
        ),
        (0.4, "INFO", "error", "31#31: *{big} client {ip} closed keepalive connection"),
        (0.08, "ERROR", "error", "31#31: *{big} client intended to send too large body: {huge} bytes, client: {ip}"),
        (0.02, "INFO", "error", "1#1: reconfiguring"),
    ),
    "frontend": (
        (1.5, "INFO", "gc", "scavenge took {few} ms, heap {n} MB"),
        (1.0, "INFO", "features", "flags refreshed: {n} active"),
        (0.3, "WARN", "http", "slow response: event loop delayed by {n} ms"),
        (0.1, "ERROR", "http", "socket hang up while streaming to {ip}"),
        (0.5, "INFO", "assets", "manifest {hex} reloaded"),
    ),
    "auth": (
        (1.0, "INFO", "Shop.Auth.KeyRing", "Key ring refreshed, {few} keys, next in {n} min"),
        (0.7, "INFO", "Shop.Auth.Cleanup", "Removed {big} expired sessions"),
        (0.3, "WARN", "Shop.Auth.RateLimit", "Client {ip} throttled after {n} attempts"),
        (0.05, "ERROR", "Shop.Auth.Audit", "Audit event {hex} dropped: buffer full"),
    ),
    "user-db": (
        (0.2, "INFO", "", "checkpoint starting: time"),
        (0.2, "INFO", "", "checkpoint complete: wrote {big} buffers ({pct}%); write={n}.{few} s, sync=0.{few} s"),
        (0.5, "INFO", "users@users", "connection received: host={ip} port={big}"),
        (0.3, "INFO", "", 'automatic analyze of table "users.public.accounts"'),
        (0.1, "ERROR", "users@users", 'duplicate key value violates unique constraint "accounts_email_key"'),
        (0.1, "INFO", "", "could not receive data from client: Connection reset by peer"),
    ),
    "cart": (
        (1.2, "INFO", "c.s.cart.jobs.ExpiryJob", "Expired {n} abandoned carts in {few} ms"),
        (
            1.5,
            "DEBUG",
            "com.zaxxer.hikari.pool.HikariPool",
            "Pool stats (total=10, active={few}, idle={few}, waiting=0)",
        ),
        (0.8, "INFO", "gc", "GC({big}) Pause Young (Normal) (G1 Evacuation Pause) {n}M->{few}M {few}.{n}ms"),
        (0.1, "WARN", "c.s.cart.pricing.PriceService", "Price list version {n} is older than {few} min"),
        (
            0.04,
            "ERROR",
            "c.s.cart.web.ErrorHandler",
            "Unhandled exception: java.lang.IllegalStateException: cart {hex} locked",
        ),
    ),
    "redis": (
        (0.3, "INFO", "M", "{big} changes in 60 seconds. Saving..."),
        (0.3, "INFO", "M", "Background saving started by pid {big}"),
        (0.3, "INFO", "C", "DB saved on disk"),
        (0.3, "INFO", "M", "Background saving terminated with success"),
        (0.4, "INFO", "M", "Evicted {n} keys, memory policy allkeys-lru"),
        (0.05, "WARN", "M", "Client id={big} addr={ip} closed for overcoming of output buffer limits."),
    ),
    "catalog": (
        (1.0, "INFO", "catalog/warm.go:23", "cache warmed with {big} products in {n} ms"),
        (0.8, "DEBUG", "catalog/db.go:19", "pool stats open={few} idle={few} wait={few}"),
        (0.4, "INFO", "catalog/feed.go:70", "supplier feed {word} imported rows={big}"),
        (0.2, "WARN", "catalog/feed.go:91", "supplier feed {word} row {n} skipped: price missing"),
        (0.05, "ERROR", "catalog/feed.go:98", "supplier feed {word} rejected: schema version {few} unknown"),
    ),
    "catalog-db": (
        (0.2, "INFO", "", "checkpoint starting: time"),
        (0.2, "INFO", "", "checkpoint complete: wrote {big} buffers ({pct}%); write={n}.{few} s, sync=0.{few} s"),
        (0.5, "INFO", "", 'automatic vacuum of table "catalog.public.products": index scans: {few}'),
        (0.4, "INFO", "shop@catalog", "connection authorized: user=shop database=catalog"),
        (0.3, "INFO", "shop@catalog", "duration: {n}4.{few} ms  statement: REFRESH MATERIALIZED VIEW bestsellers"),
        (0.1, "ERROR", "shop@catalog", "canceling statement due to user request"),
        (0.08, "ERROR", "shop@catalog", "deadlock detected"),
    ),
    "search": (
        (1.0, "INFO", "indexer.cc:311", "Merged segment {hex}: {big} documents"),
        (0.6, "INFO", "cache.cc:58", "Query cache: {n} hits per 100, {big} entries"),
        (0.2, "WARN", "indexer.cc:340", "Segment merge falling behind by {few} segments"),
        (0.05, "ERROR", "indexer.cc:352", "Checksum mismatch in segment {hex}, rebuilt"),
    ),
    "checkout": (
        (1.0, "DEBUG", "checkout/metrics.go:30", "flushed {n} metrics"),
        (0.6, "INFO", "checkout/fx.go:22", "exchange rates refreshed pairs={n}"),
        (0.2, "WARN", "checkout/fx.go:29", "exchange rate for {word} is stale age={n}m"),
        (0.06, "ERROR", "checkout/idempotency.go:77", "idempotency key {hex} reused with another body"),
    ),
    "payment": (
        (1.0, "INFO", "payment.settlement", "Settlement batch {n} sent: {big} charges"),
        (0.6, "INFO", "payment.vault", "Rotated {few} card tokens"),
        (0.5, "WARN", "payment.gateway", "Acquirer answered slowly: {n}00 ms"),
        (0.12, "ERROR", "payment.webhook", "Webhook {hex} has an invalid signature"),
        (0.3, "INFO", "payment.risk", "Risk rules version {n} loaded"),
    ),
    "orders": (
        (1.0, "INFO", "com.shop.orders.OutboxPublisher", "Outbox drained: {few} events"),
        (
            1.2,
            "DEBUG",
            "com.zaxxer.hikari.pool.HikariPool",
            "HikariPool-1 - Pool stats (total=20, active={few}, idle={n})",
        ),
        (0.8, "INFO", "gc", "GC({big}) Pause Young (Normal) (G1 Evacuation Pause) {n}M->{few}M {few}.{n}ms"),
        (0.3, "INFO", "com.shop.orders.ArchiveJob", "Archived {big} orders older than {n} days"),
        (0.08, "WARN", "com.shop.orders.OrderRepository", "Optimistic lock failed for order {order}, trying again"),
        (
            0.04,
            "ERROR",
            "com.shop.orders.InvoiceJob",
            "Invoice for order {order} could not be rendered: missing VAT id",
        ),
    ),
    "orders-db": (
        (0.2, "INFO", "", "checkpoint starting: time"),
        (0.2, "INFO", "", "checkpoint complete: wrote {big} buffers ({pct}%); write={n}.{few} s, sync=0.{few} s"),
        (0.4, "INFO", "", 'automatic vacuum of table "orders.public.order_lines": index scans: {few}'),
        (
            0.3,
            "INFO",
            "report@orders",
            "duration: {n}31.{few} ms  statement: SELECT day, sum(total) FROM orders GROUP BY day",
        ),
        (0.3, "INFO", "shop@orders", "connection authorized: user=shop database=orders"),
        (0.1, "WARN", "", 'autovacuum: found {big} dead row versions in table "order_lines"'),
        (0.08, "ERROR", "report@orders", "canceling statement due to statement timeout"),
    ),
    "inventory": (
        (1.0, "INFO", "inventory::sync", "warehouse {few} synchronised, {big} items"),
        (0.6, "DEBUG", "inventory::reserve", "released {n} expired reservations"),
        (0.2, "WARN", "inventory::sync", "warehouse {few} reported negative stock for {sku}"),
        (0.05, "ERROR", "inventory::sync", "warehouse {few} sent an unreadable record at byte {big}"),
    ),
    "rabbitmq": (
        (0.6, "INFO", "<0.{big}.0>", "accepting AMQP connection {ip}:{big} -> 10.0.4.7:5672"),
        (0.5, "INFO", "<0.{big}.0>", "connection {ip}:{big} closed normally"),
        (0.2, "WARN", "<0.{big}.0>", "closing AMQP connection {ip}:{big}: client unexpectedly closed TCP connection"),
        (0.3, "INFO", "<0.{big}.0>", "Statistics database flushed {n} entries"),
    ),
    "fulfillment": (
        (1.0, "INFO", "celery.beat", "Scheduler: Sending due task sweep-labels (fulfillment.labels.sweep)"),
        (1.0, "INFO", "fulfillment.labels", "Swept {n} old labels"),
        (0.3, "WARN", "fulfillment.picking", "Aisle {few} backlog of {n} orders"),
        (0.1, "ERROR", "fulfillment.labels", "Printer {few} out of paper, label {hex} kept"),
    ),
    "shipping": (
        (1.0, "INFO", "shipd", "tariff table {n} loaded, {big} zones"),
        (0.5, "INFO", "cron", "(shipd) CMD (/usr/lib/shipd/rotate)"),
        (0.3, "WARN", "shipd", "carrier={word} rate limit near, {n} calls left"),
        (0.1, "ERROR", "shipd", "carrier={word} returned an unreadable tracking event {hex}"),
    ),
    "notification": (
        (1.0, "INFO", "mailer", "queue flushed, {n} messages"),
        (0.6, "INFO", "smsd", "{n} text messages handed to provider"),
        (0.4, "WARN", "mailer", "relay smtp-{few} deferred message {hex}: greylisted"),
        (0.15, "ERROR", "smsd", "provider refused number of {user}: blocked"),
    ),
}

STARTUP: dict[str, tuple[tuple[str, str, str], ...]] = {
    "node": (
        ("INFO", "main", "frontend {version} listening on :3000"),
        ("INFO", "features", "flags loaded: {n} active"),
    ),
    "dotnet": (
        (
            "INFO",
            "Microsoft.Hosting.Lifetime",
            "Application started. Version {version}. Hosting environment: Production",
        ),
        ("INFO", "Shop.Auth.KeyRing", "Key ring loaded, {few} keys"),
    ),
    "java": (
        ("INFO", "com.shop.Application", "Starting Application {version} using Java 21 with PID 1"),
        ("INFO", "com.zaxxer.hikari.HikariDataSource", "HikariPool-1 - Start completed."),
        ("INFO", "com.shop.Application", "Started Application in {few}.{n} seconds"),
    ),
    "go": (("INFO", "main.go:41", "starting version={version}"), ("INFO", "main.go:77", "serving on :8080")),
    "python": (("INFO", "main", "Starting release {version}"), ("INFO", "main", "Ready, {few} workers")),
    "rust": (("INFO", "inventory", "starting {version}"), ("INFO", "inventory::http", "listening on 0.0.0.0:8080")),
    "cpp": (
        ("INFO", "main.cc:60", "search {version} loading index"),
        ("INFO", "main.cc:92", "index loaded: {big} documents"),
    ),
    "c": (("INFO", "shipd", "shipd {version} starting"), ("INFO", "shipd", "ready, {few} workers")),
    "perl": (("INFO", "mailer", "mailer {version} starting, {few} children"),),
}
SHUTDOWN = "received SIGTERM, shutting down"

NEW = (
    "request budget {n} recalculated for {user}",
    "feature recommendations_v{few} enabled for {pct}% of sessions",
    "payload schema {few} in use",
    "connection to config source {ip} renewed",
    "compression saved {big} bytes",
    "experiment arm {few} assigned to {user}",
)
"""Texts that a release brings with it: harmless, and never seen before."""

STACKS: dict[str, tuple[tuple[str, str], ...]] = {
    # runtime: (component, text); code of one's own that fails
    "node": (
        (
            "http",
            "TypeError: Cannot read properties of undefined (reading 'price')\n    at render (/app/src/{op}.js:{n}:17)\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)",
        ),
    ),
    "dotnet": (
        (
            "Shop.Auth.Pipeline",
            "Unhandled exception in {op}\nSystem.NullReferenceException: Object reference not set to an instance of an object.\n   at Shop.Auth.Handlers.{op}Handler.HandleAsync(Context ctx) in /src/Handlers/{op}.cs:line {n}",
        ),
    ),
    "java": (
        (
            "com.shop.web.ErrorHandler",
            'Request {op} failed\njava.lang.NullPointerException: Cannot invoke "com.shop.model.Item.getPrice()" because "item" is null\n\tat com.shop.service.{op}Service.apply({op}Service.java:{n})\n\tat com.shop.web.Dispatcher.dispatch(Dispatcher.java:118)\n\tat java.base/java.lang.Thread.run(Thread.java:1583)',
        ),
    ),
    "go": (
        (
            "server/recover.go:27",
            "panic recovered in {op}: runtime error: invalid memory address or nil pointer dereference\ngoroutine {big} [running]:\nmain.{op}(0xc000{few})\n\t/app/handler.go:{n} +0x1b4",
        ),
    ),
    "python": (
        (
            "app.errors",
            'Unhandled error in {op}\nTraceback (most recent call last):\n  File "/app/handlers.py", line {n}, in {op}\n    amount = Decimal(payload["total"])\nKeyError: \'total\'',
        ),
    ),
    "rust": (("inventory::http", "{op} failed: called `Option::unwrap()` on a `None` value, src/store.rs:{n}"),),
    "cpp": (
        (
            "query_server.cc:241",
            "{op} aborted: std::out_of_range: vector::_M_range_check: __n (which is {n}) >= this->size() (which is {few})",
        ),
    ),
    "c": (("shipd", "{op}: assertion failed: zone < zones_len (rates.c:{n})"),),
    "perl": (("mailer", '{op} died: Can\'t call method "address" on an undefined value at Mailer.pm line {n}.'),),
}

FAILED_CALL: dict[str, dict[str, tuple[str, str]]] = {
    # runtime -> reason -> (component, text); {peer} is the callee
    "nginx": {
        "timeout": (
            "error",
            '31#31: *{big} upstream timed out (110: Operation timed out) while reading response header from upstream, upstream: "http://{peer}:3000"',
        ),
        "refused": (
            "error",
            '31#31: *{big} connect() failed (111: Connection refused) while connecting to upstream, upstream: "http://{peer}:3000"',
        ),
        "failed": ("error", '31#31: *{big} upstream sent status 500, upstream: "http://{peer}:3000", client: {ip}'),
    },
    "node": {
        "timeout": ("client", "{peer} {op}: timeout of {limit}ms exceeded"),
        "refused": ("client", "{peer} {op}: connect ECONNREFUSED {ip}:8080"),
        "failed": ("client", "{peer} {op}: request failed with status code 500"),
    },
    "dotnet": {
        "timeout": (
            "Shop.Auth.Clients",
            "Call to {peer} {op} timed out after {limit} ms\nSystem.TimeoutException: The operation has timed out.\n   at Shop.Auth.Clients.Send(Request request) in /src/Clients.cs:line 71",
        ),
        "refused": ("Shop.Auth.Clients", "Call to {peer} {op} failed: Connection refused ({peer}:6379)"),
        "failed": ("Shop.Auth.Clients", "Call to {peer} {op} failed: the server reported an error"),
    },
    "java": {
        "timeout": (
            "com.shop.client.RemoteCall",
            "{peer} {op} timed out after {limit} ms\njava.net.SocketTimeoutException: Read timed out\n\tat java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:278)\n\tat com.shop.client.RemoteCall.execute(RemoteCall.java:64)",
        ),
        "refused": (
            "com.shop.client.RemoteCall",
            "{peer} {op} failed\njava.net.ConnectException: Connection refused\n\tat java.base/sun.nio.ch.Net.pollConnect(Native Method)\n\tat com.shop.client.RemoteCall.execute(RemoteCall.java:58)",
        ),
        "failed": ("com.shop.client.RemoteCall", "{peer} {op} answered with an error: INTERNAL"),
    },
    "go": {
        "timeout": ("client/call.go:63", "call {peer}.{op} failed: context deadline exceeded (limit {limit}ms)"),
        "refused": ("client/call.go:63", "call {peer}.{op} failed: dial tcp {ip}:8080: connect: connection refused"),
        "failed": ("client/call.go:63", "call {peer}.{op} failed: rpc error: code = Internal"),
    },
    "python": {
        "timeout": (
            "app.client",
            '{peer} {op} timed out after {limit} ms\nTraceback (most recent call last):\n  File "/app/client.py", line 48, in call\n    return session.send(request, timeout=limit)\nTimeoutError: timed out',
        ),
        "refused": ("app.client", "{peer} {op} failed: [Errno 111] Connection refused"),
        "failed": ("app.client", "{peer} {op} failed: server error"),
    },
    "rust": {
        "timeout": ("inventory::db", "{peer} {op}: operation timed out after {limit}ms"),
        "refused": ("inventory::db", "{peer} {op}: connection refused (os error 111)"),
        "failed": ("inventory::db", "{peer} {op}: error returned from database"),
    },
    "cpp": {
        "timeout": ("rpc_client.cc:118", "{peer}.{op} deadline exceeded after {limit} ms"),
        "refused": ("rpc_client.cc:124", "{peer}.{op} unavailable: connection refused"),
        "failed": ("rpc_client.cc:131", "{peer}.{op} returned INTERNAL"),
    },
    "perl": {
        "timeout": ("mailer", "{peer} {op} timed out after {limit} ms"),
        "refused": ("mailer", "{peer} {op}: connection refused"),
        "failed": ("mailer", "{peer} {op}: server error"),
    },
}
RETRY = {
    "node": ("client", "retrying {peer} {op}, attempt {few}"),
    "dotnet": ("Shop.Auth.Clients", "Retrying {peer} {op}, attempt {few}"),
    "java": ("com.shop.client.RemoteCall", "Retrying {peer} {op}, attempt {few}"),
    "go": ("client/call.go:71", "retrying call {peer}.{op} attempt={few}"),
    "python": ("app.client", "Retrying {peer} {op}, attempt {few}"),
    "rust": ("inventory::db", "retrying {peer} {op}, attempt {few}"),
    "cpp": ("rpc_client.cc:139", "Retrying {peer}.{op}, attempt {few}"),
    "perl": ("mailer", "retrying {peer} {op}, attempt {few}"),
}
SLOW = {
    "nginx": ("error", "31#31: *{big} upstream {peer} answered after {ms} ms"),
    "node": ("client", "slow call: {peer} {op} took {ms} ms"),
    "dotnet": ("Shop.Auth.Clients", "Slow call to {peer} {op}: {ms} ms"),
    "java": ("com.shop.client.RemoteCall", "Slow call: {peer} {op} took {ms} ms"),
    "go": ("client/call.go:80", "slow call {peer}.{op} took {ms}ms"),
    "python": ("app.client", "Slow call: {peer} {op} took {ms} ms"),
    "rust": ("inventory::db", "slow statement on {peer} {op}: {ms}ms"),
    "cpp": ("rpc_client.cc:150", "Slow call {peer}.{op}: {ms} ms"),
    "perl": ("mailer", "slow call: {peer} {op} took {ms} ms"),
}
OWN_SLOW = {
    "postgres": ("INFO", "shop@shop", "duration: {ms}.{few} ms  statement: {op} /* {word} */"),
    "java": (
        "WARN",
        "com.zaxxer.hikari.pool.HikariPool",
        "Thread starvation or clock leap detected (housekeeper delta={few}s{n}ms)",
    ),
    "node": ("WARN", "http", "slow response: event loop delayed by {ms} ms"),
    "go": ("WARN", "server/latency.go:19", "handler {op} exceeded latency target took={ms}ms"),
    "python": ("WARN", "app.latency", "{op} took {ms} ms, target exceeded"),
    "dotnet": ("WARN", "Shop.Auth.Pipeline", "{op} took {ms} ms, heartbeat late"),
    "rust": ("WARN", "inventory::http", "{op} took {ms}ms"),
    "cpp": ("WARN", "query_server.cc:230", "Slow {op}: {ms} ms, {few} threads busy"),
    "c": ("WARN", "shipd", "{op} took {ms} ms, workers busy"),
    "perl": ("WARN", "mailer", "{op} took {ms} ms"),
    "redis": ("WARN", "M", "Slow command {op} took {ms} ms"),
    "rabbitmq": ("WARN", "<0.{big}.0>", "channel operation {op} took {ms} ms"),
}
NO_SPACE = {
    "postgres": (
        "ERROR",
        "shop@shop",
        'could not extend file "base/16384/{big}": No space left on device\nHINT:  Check free disk space.',
    ),
    "rabbitmq": (
        "ERROR",
        "<0.{big}.0>",
        "Free disk space is insufficient. Free bytes: {huge}. Limit: 50000000, publisher {ip} blocked",
    ),
}
TOO_MANY = {
    "postgres": ("FATAL", "shop@shop", "sorry, too many clients already"),
    "redis": ("WARN", "M", "Error accepting a client connection: maxclients reached ({ip})"),
    "rabbitmq": ("WARN", "<0.{big}.0>", "connection {ip}:{big} refused: node limit reached"),
}
HEAP = {
    "java": ("WARN", "gc", "GC({big}) Pause Full (G1 Compaction Pause) {n}0M->{n}0M {big}.{few}ms"),
    "node": ("WARN", "gc", "mark-sweep took {big} ms, heap {n}0 MB"),
    "go": ("WARN", "runtime/mem.go:33", "gc cycle {big} used {n}% of cpu"),
    "python": ("WARN", "app.memory", "resident memory {n}0 MB above soft limit"),
    "dotnet": ("WARN", "Shop.Auth.Memory", "Gen2 collection took {big} ms"),
    "rust": ("WARN", "inventory::alloc", "allocation pool at {n}%"),
    "cpp": ("WARN", "arena.cc:77", "Arena usage {n}% of limit"),
    "c": ("WARN", "shipd", "memory pool {n}% used"),
    "perl": ("WARN", "mailer", "child {big} uses {n}0 MB"),
}
OUT_OF_MEMORY = {"java": "Terminating due to java.lang.OutOfMemoryError: Java heap space"}
