"""Lines with one secret each, made up at random in the ways programs write them; and ordinary lines without any.

No secret is real: all are drawn at random, and what looks like an issuer's key only has its shape. Texts are put
together here rather than written out, so that scanners of repositories find none.
"""

import base64
import json
import random
import string
from collections.abc import Callable

ALNUM = string.ascii_letters + string.digits
WORDS = ("order", "cart", "retry", "upstream", "shard", "lease", "cache", "worker", "batch", "socket", "replica")
NAMES = ("alice", "bob.smith", "j.doe+news", "maria_lopez", "o'brien", "x99", "Jörg.Müller", "k-tanaka")
DOMAINS = (
    "example.com",
    "mail.example.org",
    "corp.example.co.uk",
    "example.io",
    "uni-berlin.example.de",
    "host.internal",
)
HEADS = (
    "",
    "2026-01-05 08:00:00,123 INFO shop.Cart - ",
    "Jan  5 08:00:00 web-1 app[4711]: ",
    "[WARN] ",
    '10.0.0.7 - - [05/Jan/2026:08:00:00 +0000] "GET /x HTTP/1.1" 200 17 ',
    "ts=2026-01-05T08:00:00Z level=info msg=",
)


def word(rng: random.Random, size: int, letters: str = ALNUM) -> str:
    return "".join(rng.choices(letters, k=size))


def luhn(body: str) -> str:
    """The number with its check digit."""
    digits = [int(c) for c in reversed(body)]
    total = sum(d if i % 2 else (2 * d - 9 if d > 4 else 2 * d) for i, d in enumerate(digits))
    return body + str(-total % 10)


def card(rng: random.Random) -> str:
    start, size = rng.choice([("4", 16), ("51", 16), ("2300", 16), ("37", 15), ("6011", 16), ("3530", 16)])
    number = luhn(start + word(rng, size - 1 - len(start), string.digits))
    groups = [number[:4], number[4:10], number[10:]] if size == 15 else [number[i : i + 4] for i in range(0, 16, 4)]
    return rng.choice(["", " ", "-"]).join(groups)


def iban(rng: random.Random) -> str:
    country, body = rng.choice(
        [
            ("DE", word(rng, 18, string.digits)),
            ("GB", "NWBK" + word(rng, 14, string.digits)),
            ("FR", word(rng, 23, string.digits)),
            ("NL", "ABNA" + word(rng, 10, string.digits)),
        ]
    )
    check = 98 - int("".join(str(int(c, 36)) for c in body + country + "00")) % 97
    number = f"{country}{check:02d}{body}"
    return number if rng.random() < 0.5 else " ".join(number[i : i + 4] for i in range(0, len(number), 4))


def url64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def jwt(rng: random.Random) -> str:
    claims = {"sub": word(rng, 12), "exp": rng.randrange(10**9), "role": "user"}
    return f"{url64({'alg': 'RS256', 'typ': 'JWT'})}.{url64(claims)}.{word(rng, 43, ALNUM + '-_')}"


def shaped(rng: random.Random) -> str:
    hexes = "0123456789abcdef"
    return rng.choice(
        [
            lambda: rng.choice(["AK", "AS"]) + "IA" + word(rng, 16, string.ascii_uppercase + "234567"),
            lambda: "gh" + rng.choice("pousr") + "_" + word(rng, 36),
            lambda: "github" + "_pat_" + word(rng, 22) + "_" + word(rng, 59),
            lambda: "glp" + "at-" + word(rng, 20),
            lambda: f"xox{rng.choice('bp')}-{rng.randrange(10**11)}-{rng.randrange(10**12)}-{word(rng, 24)}",
            lambda: rng.choice(["sk", "rk"]) + "_live_" + word(rng, 24),
            lambda: "AI" + "za" + word(rng, 35, ALNUM + "-_"),
            lambda: "ya" + "29." + word(rng, 68, ALNUM + "-_"),
            lambda: "s" + "k-proj-" + word(rng, 48),
            lambda: "np" + "m_" + word(rng, 36),
            lambda: f"SG.{word(rng, 22)}.{word(rng, 43)}",
            lambda: f"{rng.randrange(10**9, 10**10)}:AA{word(rng, 33)}",
            lambda: "do" + "p_v1_" + word(rng, 64, hexes),
        ]
    )()


def password(rng: random.Random) -> str:
    return rng.choice(["hunter", "Summer", "qwerty", "letmein", "tr0ub4dor"]) + word(
        rng, rng.randrange(2, 8), ALNUM + "!#%_"
    )


def email(rng: random.Random) -> str:
    return f"{rng.choice(NAMES)}{rng.randrange(1000)}@{rng.choice(DOMAINS)}"


SENTENCES = (
    "{}",
    "found {} here",
    "value={}",
    '{{"note":"{}","n":1}}',
    "ends with {}",
    "<{}>",
    "({}), 3 left",
    "to:{}",
    "'{}'",
)
LOGIN = (
    "postgres://app:{}@db:5432/shop",
    "fetch https://bob:{}@repo.example.com/x.git",
    "redis://:{}@cache:6379/0",
    "amqp://guest:{}@mq/%2f failed",
    "jdbc:mysql://root:{}@10.0.0.3/x",
)
PASSWORD_FIELDS = (
    "password={}",
    "user=bob password={} host=x",
    '{{"user":"bob","password":"{}"}}',
    "Passwd: {}",
    "DB_PASSWORD={}",
    "{{'password': '{}', 'n': 1}}",
    "login?user=bob&password={}&next=/",
    "--password {} --verbose",
    "userPassword => {}",
    "<password>{}</password>",
    '\\"passphrase\\":\\"{}\\"',
    "smtp_pass={}",
    'spring.datasource.password="{}"',
)
SECRET_FIELDS = (
    "api_key={}",
    "apikey: {}",
    '{{"client_secret":"{}"}}',
    "X-Api-Key: {}",
    "AWS_SECRET_ACCESS_KEY={}",
    "token={}",
    "GET /v1/x?access_token={}&n=1",
    "accountKey={};Endpoint=x",
    "auth-token: {}",
    "{{'secret': '{}'}}",
    "--token {}",
    'refreshToken="{}"',
    "signing_key = {}",
    "credentials: {}",
)
BEARERS = (
    "Authorization: Bearer {}",
    '"authorization": "Bearer {}"',
    "Authorization: Basic {}",
    "sent bearer {} to auth",
    "Cookie: session={}; theme=dark",
    "Set-Cookie: sid={}; Path=/; HttpOnly",
    "authorization=Token {}",
)


def secret(rng: random.Random) -> str:
    return word(rng, rng.randrange(20, 44)) + rng.choice(string.digits)


MAKERS: dict[str, tuple[tuple[str, ...], Callable[[random.Random], str]]] = {
    "password in URL": (LOGIN, password),
    "password field": (PASSWORD_FIELDS, password),
    "jwt": (SENTENCES, jwt),
    "token": (BEARERS, secret),
    "api_key": (SENTENCES, shaped),
    "secret": (SECRET_FIELDS, secret),
    "email": (SENTENCES, email),
    "card": (SENTENCES, card),
    "iban": (SENTENCES, iban),
}


def planted(count: int, seed: int) -> list[tuple[str, str, str]]:
    """`count` triples (kind, line, the secret in it), kinds in turn."""
    rng = random.Random(seed)
    found = []
    for i in range(count):
        kind = list(MAKERS)[i % len(MAKERS)]
        contexts, make = MAKERS[kind]
        text = make(rng)
        tail = f" {rng.choice(WORDS)} {rng.randrange(100)}" if rng.random() < 0.5 else ""
        found.append((kind, rng.choice(HEADS) + rng.choice(contexts).format(text) + tail, text))
    return found


def private_key(rng: random.Random, lines: int = 14) -> list[str]:
    """The lines of a private key."""
    kind = rng.choice(["RSA ", "EC ", "", "OPENSSH "])
    body = [word(rng, 64, ALNUM + "+/") for _ in range(lines)] + [word(rng, rng.randrange(2, 60)) + "=="]
    return [f"-----BEGIN {kind}PRIVATE" + " KEY-----", *body, f"-----END {kind}PRIVATE" + " KEY-----"]


ORDINARY = (
    "received block blk_-{d19} of size {d8} from /10.{d2}.{d2}.7",
    "GET /api/v1/items/{d6}?page={d2}&sort=price HTTP/1.1",
    "unexpected token: '}}' at position {d4}",
    "Failed password for root from 10.0.{d2}.{d2} port {d4} ssh2",
    "Access denied for user 'app'@'10.0.0.{d2}' (using password: YES)",
    "session-{d4} of user {w} opened by (uid={d2})",
    "systemd: Started user@{d4}.service",
    "pulled image registry.local/{w}/{w}:v{d2}.{d2} in {d4}ms",
    "TTY=pts/{d2} ; PWD=/home/{w} ; USER=root",
    "max_tokens={d4} prompt_tokens={d4} total={d4}",
    "checkpoint {x32} took {d4} ms at {d16} us",
    "trace {x32} span {x16} ok",
    "java.lang.IllegalStateException: {w} at com.example.{w}.Main$1@{x8}",
    "authorization failed for role {w}: policy {d4}",
    "commit {x40} by {w} merged into main",
    "lib {w}@{d2}.{d2}.{d2} resolved to {w}-{d2}.js",
    "key={w} value={d8} ttl={d4}s",
    "secret {w}-tls not found in namespace {w}",
    "cookie jar has {d4} entries",
    "basic functionality of {w} restored",
    "bearer of {w} has not changed since {d4}",
    "clone git@{w}.example.org:{w}/{w}.git",
    "ratio {d2}.{d16} of {d4}",
    "token bucket {w}: {d4} left, refill {d2}/s",
    "epoch {d13} ns {d19} seq {d10}",
    "password changed for account {d6}",
    "http://10.0.0.{d2}:8080/{w}?x={d4} answered 503",
    "API key rotated for tenant {d4}",
    "uuid {x8}-{x4}-{x4}-{x4}-{x12} done",
    "pod {w}-{x10}-{x5} token: expired",
    "-----BEGIN CERTIFICATE-----",
    "mailbox {w} has {d4} messages, {d2} at {w}@localhost",
)


def ordinary(count: int, seed: int) -> list[str]:
    """Lines that hold nothing secret, many of them close to it."""
    rng = random.Random(seed)

    def made(field: str) -> str:
        if field == "w":
            return rng.choice(WORDS)
        size = int(field[1:])
        return word(rng, size, string.digits if field[0] == "d" else "0123456789abcdef")

    lines = []
    for _ in range(count):
        text = rng.choice(ORDINARY)
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name]
        pieces = iter([made(name) for name in names])
        shape = "".join(part + (next(pieces) if name else "") for part, name, _, _ in string.Formatter().parse(text))
        lines.append(rng.choice(HEADS) + shape)
    return lines
