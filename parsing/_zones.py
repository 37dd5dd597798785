"""Names of time zones that mean one thing in logs, and the minutes each is ahead of UTC.

Names that are used for several zones (IST) are left out; CST and the like are those of RFC 822.
"""

_BY_HOURS = {
    -8: "PST", -7: "PDT MST", -6: "MDT CST", -5: "CDT EST", -4: "EDT",
    0: "WET", 1: "WEST BST CET", 2: "CEST EET", 3: "EEST MSK",
    8: "SGT HKT", 9: "JST KST", 10: "AEST", 11: "AEDT", 12: "NZST", 13: "NZDT",
}  # fmt: skip
ZONES = {name: 60 * hours for hours, names in _BY_HOURS.items() for name in names.split()}
