"""What counts as a secret or as personal data: for each kind a pattern that finds it, and the texts that betray it.

Patterns are RE2 and run, in this order, on lines only that hold one of their triggers (`_scan`). What they leave stays
in groups. No pattern matches its own replacement, so redacting twice changes nothing.
"""

from dataclasses import dataclass
from itertools import product

from telemetry import SettingsError

KINDS = ("private_key", "password", "jwt", "token", "api_key", "secret", "email", "card", "iban")
"""`password`: in URLs and in fields named so; `token`: authorization and cookie headers; `api_key`: keys of well-known
shapes; `secret`: fields named secret, token, api_key and so on; `card`: payment cards that pass the Luhn check."""
CUSTOM = "custom"

PRIVATE_KEY, URL, JWT, TOKEN, API_KEY, PASSWORD, SECRET, EMAIL, CARD, IBAN = (1 << bit for bit in range(10))
BARE, DOUBLE, SINGLE, ESCAPED, NUMBER, FLAG, ELEMENT = (1 << bit for bit in range(10, 17))
"""How the value of a field is written: bare, in quotes of three sorts, a JSON number, after a command-line flag, in
an XML element."""

_KEY_NAMES = (
    "api", "access", "account", "auth", "secret", "private", "signing", "encryption", "shared", "master", "storage",
    "subscription", "app", "license",
)  # fmt: skip
_PASSWORD_NAMES = ("password", "passwd", "passphrase", "passcode", "pwd", "_pass", "-pass", "userpass")
_SECRET_NAMES = (
    "secret", "token", "credential", "credentials", "cvv", "cvc",
    *("".join(parts) for parts in product(_KEY_NAMES, ("", "_", "-"), ("key",))),
)  # fmt: skip
_HEADER_NAMES = ("authorization", "cookie")
NAMES: dict[str, int] = (
    dict.fromkeys(_PASSWORD_NAMES, PASSWORD)
    | dict.fromkeys(_SECRET_NAMES, SECRET)
    | dict.fromkeys(_HEADER_NAMES, TOKEN)
)
"""Ends of field names, in lower case, whose values are secret."""

NOT_SECRET = (
    "yes", "no", "true", "false", "null", "none", "nil", "undefined", "on", "off", "required", "invalid", "incorrect",
    "expired", "missing", "changed", "wrong", "empty", "failed", "unset", "set", "reset", "updated", "is", "not",
)  # fmt: skip
"""Values a line is not looked at for: `using password: YES`."""

NOT_DOMAINS = (
    "service", "socket", "timer", "slice", "mount", "target", "scope", "device", "path", "swap", "automount",
    "js", "ts", "css", "map", "json", "jar", "rb", "php", "html", "png", "svg", "gz", "xml", "yml", "yaml", "log",
    "conf", "txt", "zip", "lock", "tgz", "whl",
)  # fmt: skip
"""What ends a name with an @ that is no address: systemd units (`user@1000.service`), files of a package version."""

LITERALS: tuple[tuple[str, int, int, int], ...] = (
    ("PRIVATE KEY", 3, 0, PRIVATE_KEY),
    ("eyJ", 2, 12, JWT),
    *((word, 1, 4, TOKEN) for word in ("bearer ", "Bearer ", "BEARER ")),
    ("AKIA", 1, 16, API_KEY),
    ("ASIA", 1, 16, API_KEY),
    ("AIza", 3, 35, API_KEY),
    ("ya29.", 2, 20, API_KEY),
    ("GOCSPX-", 5, 20, API_KEY),
    *((f"gh{kind}_", 3, 36, API_KEY) for kind in "pousr"),
    ("github_pat_", 10, 22, API_KEY),
    ("glpat-", 5, 20, API_KEY),
    *((f"xox{kind}-", 2, 10, API_KEY) for kind in "abeoprs"),
    ("xapp-", 1, 10, API_KEY),
    ("hooks.slack.com/services/T", 3, 10, API_KEY),
    *((f"{kind}k_{mode}_", 7, 16, API_KEY) for kind in "sr" for mode in ("live", "test")),
    ("whsec_", 5, 16, API_KEY),
    ("sk-", 1, 20, API_KEY),
    ("npm_", 3, 36, API_KEY),
    ("hf_", 2, 30, API_KEY),
    *((f"do{kind}_v1_", 6, 64, API_KEY) for kind in "opr"),
    ("SG.", 1, 32, API_KEY),
    (":AA", 2, 33, API_KEY),
    ("shpat_", 5, 32, API_KEY),
    ("shpss_", 5, 32, API_KEY),
)
"""(text, place after its first character that ends its rarest two, characters of a word that must follow, bit)."""


@dataclass(frozen=True)
class Rule:
    """What is done to lines with all of `bits` set: matches of `pattern` become `replacement`."""

    bits: int
    kind: str
    pattern: str
    replacement: str


def mark(kind: str) -> str:
    """Return what stands in the place of a redacted text."""
    return f"<redacted:{kind}>"


BLOCK_END = r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
_BLOCK = rf"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.)*?(?:{BLOCK_END}|\z)"
_URL = r"(://[^\s/?#:@\"'<>]*:)[^\s/?\"'<>]+@"
_JWT = r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)*"
_BEARER = r"(\bbearer\s+)(?:[A-Za-z._~+/=-]*[0-9][\w.~+/=-]+|[\w.~+/-]{20}[\w.~+/=-]*)"
_OPEN = r"""\\*["']?\s*[:=]\s*\\*["']?"""
_AUTHORIZATION = (
    rf"(authorization{_OPEN}(?:bearer|basic|token|digest|negotiate|ntlm|apikey)\s+)[^\s\"'<>,;\\]+"
    rf"|(authorization{_OPEN})[A-Za-z._~+/=-]*[0-9][\w.~+/=:-]+"
)
_COOKIE = rf"(cookie{_OPEN})[\w.~!%$#+-]+=[^\s\"'<>;,\\]+(?:;\s*[\w.~-]+=[^\s\"'<>;,\\]+)*"
# Lengths were checked when the line was looked at: counted repetitions make RE2 slow.
_SHAPES = "|".join(
    (
        r"hooks\.slack\.com/services/[\w/]+",
        r"\b\d+:AA[\w-]+",
        r"\b(?:A[KS]IA[A-Z0-9]+|AIza[\w-]+|ya29\.[\w-]+|GOCSPX-[\w-]+|gh[pousr]_\w+|github_pat_\w+|glpat-[\w-]+"
        r"|xox[a-z]-[\w-]+|xapp-[\w-]+|[sr]k_(?:live|test)_\w+|whsec_[\w+/=]+|sk-[\w-]+|npm_\w+|hf_\w+"
        r"|do[opr]_v1_\w+|SG\.[\w-]+\.[\w-]+|shp(?:at|ss)_\w+)",
    )
)
_EMAIL = r"(?:[\w.%+-]|[^\x00-\x7f])(?:[\w.%+'-]|[^\x00-\x7f])*@(?:[\w.-]|[^\x00-\x7f])*\.(?:[A-Za-z]|[^\x00-\x7f])+"
CARD_SHAPE = r"(?:\d{13,19}|\d{4}([ -])\d{4}[ -]\d{4}[ -]\d{4}(?:[ -]\d{3}\b)?|\d{4}[ -]\d{6}[ -]\d{4,5})\b"
IBAN_SHAPE = r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"
BLOCK_ROW = rf"[A-Za-z0-9+/=\s]*{BLOCK_END}|[A-Za-z0-9+/]{{40,}}={{0,2}}|^\s*[A-Za-z0-9+/]+={{0,2}}\s*$"
"""What is redacted in a line of its own between the two marks of a private key."""


_FIRST, _REST = r"(?:[^\s\"'<>*,;&|(){}\[\]\\/$~]|\$[^{(\s])", r"[^\s\"'<>,;&)}\]]*"
_FORMS = {
    BARE: (rf"\s*(?:=>|[:=])\s*){_FIRST}{_REST}", r"\1{}"),
    DOUBLE: (r"[\"']?\s*(?:=>|[:=])\s*\")(?:[^\"\\<]|\\.)(?:[^\"\\]|\\.)*", r"\1{}"),
    SINGLE: (r"[\"']?\s*(?:=>|[:=])\s*')(?:[^'\\<]|\\.)(?:[^'\\]|\\.)*", r"\1{}"),
    ESCAPED: (r"\\+[\"']\s*[:=]\s*\\+[\"'])[^\"'\\<][^\"'\\]*", r"\1{}"),
    NUMBER: (r"[\"']\s*:\s*)-?\d[\d.]*", r'\1"{}"'),  # JSON stays JSON
    FLAG: (rf"\s+){_FIRST}{_REST}", r"\1{}"),
    ELEMENT: (r">)[^<\s][^<]*", r"\1{}"),
}
_BEFORE = {FLAG: r"--[\w-]*", ELEMENT: r"<[\w-]*"}


def _fields(bit: int, kind: str, names: str) -> list[Rule]:
    """Return the rules for values of fields whose names end so, one for each form."""
    return [
        Rule(bit | form, kind, f"(?i)({_BEFORE.get(form, '')}{names}{pattern}", replacement.format(mark(kind)))
        for form, (pattern, replacement) in _FORMS.items()
    ]


_PASSWORD = r"(?:pass(?:word|wd|phrase|code)|pwd|[_-]pass|userpass)"  # noqa: S105 - a pattern
_SECRET = rf"(?:secret|token|credentials?|cv[vc]|(?:{'|'.join(_KEY_NAMES)})[_-]?key)"
RULES = (
    Rule(PRIVATE_KEY, "private_key", _BLOCK, mark("private_key")),
    Rule(URL, "password", _URL, rf"\1{mark('password')}@"),
    Rule(JWT, "jwt", _JWT, mark("jwt")),
    Rule(API_KEY, "api_key", _SHAPES, mark("api_key")),
    Rule(TOKEN, "token", f"(?i){_BEARER}", rf"\1{mark('token')}"),
    Rule(TOKEN, "token", f"(?i){_AUTHORIZATION}", rf"\1\2{mark('token')}"),
    Rule(TOKEN, "token", f"(?i){_COOKIE}", rf"\1{mark('token')}"),
    *_fields(PASSWORD, "password", _PASSWORD),
    *_fields(SECRET, "secret", _SECRET),
    Rule(EMAIL, "email", _EMAIL, mark("email")),
)
KIND_OF_NAME = {PASSWORD: "password", SECRET: "secret", TOKEN: "token"}

IBAN_LENGTHS = {
    country: size
    for size, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC",
    }.items()
    for country in countries.split()
}  # fmt: skip


def check_pattern(pattern: str) -> str:
    """Return a user's pattern. Raises SettingsError for one that RE2 refuses or that matches nothing at all."""
    import pyarrow as pa
    import pyarrow.compute as pc

    samples = pa.array(["", "a b-1"])
    try:
        found = pc.count_substring_regex(samples, pattern).to_pylist()
        left = pc.replace_substring_regex(samples, pattern, "").to_pylist()
    except pa.ArrowInvalid as why:
        reason = str(why).removeprefix("Invalid regular expression: ").splitlines()[0]
        raise SettingsError(f"redaction pattern {pattern!r} is no regular expression RE2 accepts: {reason}") from None
    if any(count and text == rest for count, text, rest in zip(found, samples.to_pylist(), left, strict=True)):
        raise SettingsError(f"redaction pattern {pattern!r} matches an empty text, want one that needs a character")
    return pattern
