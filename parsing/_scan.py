"""Which texts may hold a secret: one compiled pass over their bytes. Import it only when needed, as it brings numba.

The pass looks for rare characters and at what stands around them. It errs on the side of looking, except where it can
be sure: a card number must pass its checksum, a named field must have a value that is not `YES` or the like.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from numba import njit

from parsing import _secrets
from parsing._columns import Bytes
from parsing._jit import compiled

T = TypeVar("T")

_LITERAL, _AT, _SEPARATOR, _FLAG, _SLASHES = 1, 2, 4, 8, 16
_MOST_VALUE, _MOST_URL, _MOST_DOMAIN = 64, 512, 255


def _packed(texts: Sequence[str]) -> tuple[Bytes, Any]:
    """Return (bytes of all texts, where each begins; one place more)."""
    pieces = [text.encode() for text in texts]
    return np.frombuffer(b"".join(pieces), np.uint8), np.cumsum([0, *map(len, pieces)])


def _bucketed(entries: Iterable[T], key: Callable[[T], int]) -> tuple[list[T], Any]:
    """Return the entries in order of a byte of theirs, and where the entries of each byte begin; one place more."""
    ordered = sorted(entries, key=key)
    return ordered, np.searchsorted([key(entry) for entry in ordered], np.arange(257))


_literals, _LITERAL_AT = _bucketed(_secrets.LITERALS, lambda entry: ord(entry[0][entry[1]]))
_LITERAL_TEXT, _LITERAL_BEGIN = _packed([text for text, _, _, _ in _literals])
_LITERAL_ANCHOR, _LITERAL_LEAST, _LITERAL_BIT = np.array([entry[1:] for entry in _literals]).T.copy()
_names, _NAME_AT = _bucketed(_secrets.NAMES.items(), lambda entry: ord(entry[0][-1]))
_NAME_TEXT, _NAME_BEGIN = _packed([name for name, _ in _names])
_NAME_BIT = np.array([bit for _, bit in _names])
_NAMES_END = np.diff(_NAME_AT) > 0  # what may stand before the separator of a field
_NAMES_END[65:91] = _NAMES_END[97:123]
_NAMES_END[list(b" \"'\\")] = True
_PLAIN_TEXT, _PLAIN_BEGIN = _packed(_secrets.NOT_SECRET)
_UNIT_TEXT, _UNIT_BEGIN = _packed(_secrets.NOT_DOMAINS)

_roles = np.zeros((256, 256), np.uint8)
for _text, _anchor, _, _ in _secrets.LITERALS:
    _roles[ord(_text[_anchor - 1]), ord(_text[_anchor])] |= _LITERAL
_roles[:, ord("@")] |= _AT
for _byte in b":=>":
    _roles[_NAMES_END, _byte] |= _SEPARATOR
_roles[ord("-"), ord("-")] |= _FLAG
_roles[ord("/"), ord("/")] |= _SLASHES
_ROLE = _roles.ravel()  # by a byte and the one after it, which has the role

_LOWER = np.arange(256, dtype=np.uint8)
_LOWER[65:91] += 32
_DIGIT = np.zeros(256, np.bool_)
_DIGIT[48:58] = True
_UPPER = np.zeros(256, np.bool_)
_UPPER[65:91] = True
_ALNUM = _DIGIT | _UPPER
_ALNUM[97:123] = True
_ALNUM[128:] = True
_NUMERIC = _DIGIT.copy()
_NUMERIC[list(b" -")] = True
_BLANK = np.zeros(256, np.bool_)
_BLANK[list(b" \t\r\n\v\f")] = True
_DOMAIN = _ALNUM.copy()
_DOMAIN[list(b".-")] = True
_LOCAL = _DOMAIN.copy()
_LOCAL[list(b"_%+'")] = True
_QUOTE = np.zeros(256, np.bool_)
_QUOTE[list(b"\"'\\")] = True
_WORD = _ALNUM.copy()
_WORD[list(b"_-./+=")] = True
_STOPS = _BLANK | _QUOTE
_STOPS[list(b"<>,;&)}]")] = True
_NO_VALUE = _STOPS.copy()
_NO_VALUE[list(b"*({[|/~")] = True


@njit(inline="always")
def _same(data, at, texts, low, high):  # type: ignore[no-untyped-def]
    """Whether data[at:], in lower case, begins with texts[low:high]."""
    for k in range(low, high):  # noqa: SIM110 - compiled
        if _LOWER[data[at + k - low]] != texts[k]:
            return False
    return True


@compiled
def _one_of(data, begin, end, texts, begins):  # type: ignore[no-untyped-def]
    """Whether data[begin:end], in lower case, is one of the texts."""
    for i in range(begins.size - 1):
        if begins[i + 1] - begins[i] == end - begin and _same(data, begin, texts, begins[i], begins[i + 1]):
            return True
    return False


@compiled
def _named(data, begin, end):  # type: ignore[no-untyped-def]
    """Return the bit of the secret field whose name ends at `end`, 0 if none does."""
    last = _LOWER[data[end - 1]]
    for i in range(_NAME_AT[last], _NAME_AT[last + 1]):
        low, high = _NAME_BEGIN[i], _NAME_BEGIN[i + 1]
        if end - begin >= high - low and _same(data, end - (high - low), _NAME_TEXT, low, high):
            return _NAME_BIT[i]
    return 0


@compiled
def _form(data, at, end, bit, named):  # type: ignore[no-untyped-def]
    """Return the form bit of a value that may be secret and begins after the separator before `at`, 0 if none does.

    `named`: the name before the separator is in quotes.
    """
    if at < end and data[at] == 62:  # =>
        at += 1
    blank, quote, escaped, first = False, np.uint8(0), False, at
    while at < end and at - first < 8 and (_BLANK[data[at]] or _QUOTE[data[at]]):
        blank, escaped = blank or _BLANK[data[at]], escaped or data[at] == 92
        quote = data[at] if data[at] == 34 or data[at] == 39 else quote
        at += 1
    if at >= end or _NO_VALUE[data[at]]:
        return 0
    if data[at] == 36 and at + 1 < end and (data[at + 1] == 123 or data[at + 1] == 40):  # ${ and $(
        return 0
    stop, digit = at, False
    while stop < end and stop - at < _MOST_VALUE and not _STOPS[data[stop]]:
        digit = digit or _DIGIT[data[stop]]
        stop += 1
    if _one_of(data, at, stop, _PLAIN_TEXT, _PLAIN_BEGIN):
        return 0
    if quote != 0:
        return _secrets.ESCAPED if escaped else _secrets.DOUBLE if quote == 34 else _secrets.SINGLE
    if bit == _secrets.SECRET and (stop - at < 6 or not (digit or stop - at >= 16 or not blank)):
        return 0  # "unexpected token: foo" is about no secret
    return _secrets.NUMBER if named else _secrets.BARE


@compiled
def _field(data, begin, i, end):  # type: ignore[no-untyped-def]
    """Return the bits of the field whose name ends before the separator data[i] and whose value comes after it."""
    name, named = i, False
    while name > begin and i - name < 4 and (data[name - 1] == 32 or _QUOTE[data[name - 1]]):
        name -= 1
        named = named or data[name] != 32
    if name == begin:
        return 0
    bit = _named(data, begin, name)
    if bit == 0 or bit == _secrets.TOKEN:
        return bit
    if data[i] == 62:
        return 0 if name < i else bit | _secrets.ELEMENT
    form = _form(data, i + 1, end, bit, named)
    return bit | form if form != 0 else 0


@compiled
def _flag(data, i, end):  # type: ignore[no-untyped-def]
    """Return the bits of the command-line flag that begins with the two dashes before `i` and has a value behind it."""
    stop = i
    while stop < end and stop - i < 40 and (_ALNUM[data[stop]] or data[stop] == 45 or data[stop] == 95):
        stop += 1
    if stop == i or stop >= end or data[stop] != 32:
        return 0
    bit = _named(data, i, stop)
    return bit | _secrets.FLAG if bit != 0 and _form(data, stop, end, bit, False) == _secrets.BARE else 0


@compiled
def _address(data, begin, i, end):  # type: ignore[no-untyped-def]
    """Return the bit of the e-mail address around the @ at data[i]."""
    if i == begin or i + 1 >= end or not _LOCAL[data[i - 1]] or not _ALNUM[data[i + 1]]:
        return 0
    stop = i + 1
    while stop < end and stop - i < _MOST_DOMAIN and _DOMAIN[data[stop]]:
        stop += 1
    while stop > i + 1 and not _ALNUM[data[stop - 1]]:
        stop -= 1
    dot = stop - 1
    while dot > i and _ALNUM[data[dot]] and not _DIGIT[data[dot]]:
        dot -= 1
    if data[dot] != 46 or stop - dot < 3 or _one_of(data, dot + 1, stop, _UNIT_TEXT, _UNIT_BEGIN):
        return 0
    git = i - begin >= 3 and data[i - 1] == 116 and data[i - 2] == 105 and data[i - 3] == 103
    if git and (i - begin == 3 or not _LOCAL[data[i - 4]]):  # git@host: no person
        return 0
    return _secrets.EMAIL


@compiled
def _has_login(data, at, i):  # type: ignore[no-untyped-def]
    """Whether data[at:i], which follows `://` and precedes an @, may be a user and a password."""
    if i - at > _MOST_URL:
        return False
    colon = False
    for k in range(at, i):
        if _BLANK[data[k]] or data[k] == 47:
            return False
        colon = colon or data[k] == 58
    return colon


@compiled
def _literal(data, begin, i, end):  # type: ignore[no-untyped-def]
    """Return the bits of the literals that have their anchor at data[i]."""
    bits = 0
    byte = data[i]
    for k in range(_LITERAL_AT[byte], _LITERAL_AT[byte + 1]):
        low, high = _LITERAL_BEGIN[k], _LITERAL_BEGIN[k + 1]
        at = i - _LITERAL_ANCHOR[k]
        if at < begin or at + high - low > end:
            continue
        same = True
        for j in range(low, high):
            if data[at + j - low] != _LITERAL_TEXT[j]:
                same = False
                break
        word = at + high - low
        while same and word < end and word - at < high - low + _LITERAL_LEAST[k]:
            same = _WORD[data[word]]
            word += 1
        if same and word - at >= high - low + _LITERAL_LEAST[k]:
            bits |= _LITERAL_BIT[k]
    return bits


@compiled
def _brand(data, begin, count):  # type: ignore[no-untyped-def]
    """Whether a number of `count` digits, the first four of which stand together, may begin so on a payment card."""
    four = 0
    for i in range(begin, begin + 4):
        four = four * 10 + int(data[i]) - 48
    two = four // 100
    if two // 10 == 4 or 51 <= two <= 55 or 2221 <= four <= 2720:
        return count == 16
    if 3528 <= four <= 3589 or four == 6011 or two == 65 or 6440 <= four <= 6499:
        return count == 16
    if two == 34 or two == 37:
        return count == 15
    if two == 36 or two == 38 or two == 39 or 3000 <= four <= 3059:
        return count == 14
    if two == 62:
        return 16 <= count <= 19
    return (four == 5018 or four == 5020 or four == 5038 or four == 6304 or two == 67) and (count == 16 or count == 19)


@compiled
def _stands_alone(data, begin, end, low, high):  # type: ignore[no-untyped-def]
    """Whether the number data[begin:end] is no part of a longer name or number within the text data[low:high]."""
    if begin > low:
        before = data[begin - 1]
        if _ALNUM[before] or before == 95:
            return False
        if (before == 45 or before == 46) and begin - 1 > low and (_ALNUM[data[begin - 2]] or data[begin - 2] == 95):
            return False
    if end < high:
        after = data[end]
        if _ALNUM[after] or after == 95:
            return False
        if (after == 45 or after == 46) and end + 1 < high and _ALNUM[data[end + 1]]:
            return False
    return True


@compiled
def is_card(data, begin, end, low, high):  # type: ignore[no-untyped-def]
    """Whether data[begin:end], digits with single blanks or dashes, is a card number within the text data[low:high]."""
    count, total = 0, 0
    for i in range(end - 1, begin - 1, -1):
        if _DIGIT[data[i]]:
            digit = int(data[i]) - 48
            if count % 2 == 1:
                digit = digit * 2 - 9 if digit > 4 else digit * 2
            total += digit
            count += 1
    return total % 10 == 0 and _brand(data, begin, count) and _stands_alone(data, begin, end, low, high)


@compiled
def _digits_end(data, at, stop):  # type: ignore[no-untyped-def]
    """Return where the digits that begin at `at` end."""
    while at < stop and _DIGIT[data[at]]:
        at += 1
    return at


@compiled
def _groups_end(data, at, stop):  # type: ignore[no-untyped-def]
    """Return where a number grouped as on a card (4-4-4-4, 4-4-4-4-3, 4-6-5, 4-6-4) that begins at `at` ends, or -1."""
    second = _digits_end(data, at + 5, stop)
    third = _digits_end(data, second + 1, stop)
    if second - at == 11 and (third - second == 6 or third - second == 5):
        return third
    fourth = _digits_end(data, third + 1, stop)
    if second - at != 9 or third - second != 5 or fourth - third != 5:
        return -1
    return fourth + 4 if _digits_end(data, fourth + 1, stop) == fourth + 4 else fourth


@compiled
def _numbers(data, low, high, begin, end):  # type: ignore[no-untyped-def]
    """Return the bits of what data[begin:end], digits, blanks and dashes, holds; the text is data[low:high]."""
    bits = 0
    at = begin
    while at < end:
        if not _DIGIT[data[at]]:
            at += 1
            continue
        stop = at
        while stop < end and _DIGIT[data[stop]]:
            stop += 1
        if 13 <= stop - at <= 19:
            if _brand(data, at, stop - at) and is_card(data, at, stop, low, high):
                bits |= _secrets.CARD
        elif stop - at == 4 and end - at >= 16:
            last = _groups_end(data, at, end)
            if last > 0 and is_card(data, at, last, low, high):
                bits |= _secrets.CARD
        at = stop
    if begin == low or not _UPPER[data[begin - 1]]:
        return bits
    for k in range(max(low, begin - 12), min(begin, high - 15)):
        word = k == low or not _ALNUM[data[k - 1]]
        if word and _UPPER[data[k]] and _UPPER[data[k + 1]] and _DIGIT[data[k + 2]] and _DIGIT[data[k + 3]]:
            bits |= _secrets.IBAN
    return bits


@compiled
def _long_numbers(data, begin, end):  # type: ignore[no-untyped-def]
    """Return the bits of the numbers of ten digits or more: any run so long covers two probes three bytes apart."""
    bits, done = 0, np.uint64(0)
    for i in range(np.uint64(begin + 5), np.uint64(end), np.uint64(6)):
        if i >= done and _NUMERIC[data[i]] and _NUMERIC[data[i - np.uint64(3)]]:
            low, high = np.int64(i), np.int64(i)
            while low > begin and _NUMERIC[data[low - 1]]:
                low -= 1
            while high < end and _NUMERIC[data[high]]:
                high += 1
            if high - low >= 10:
                bits |= _numbers(data, begin, end, low, high)
            done = np.uint64(high)
    return bits


@compiled
def _look(data, begin, i, end, role, url):  # type: ignore[no-untyped-def]
    """Return (bits of what stands around data[i], which has a role; where the user of the last URL begins)."""
    bits = 0
    if role & _LITERAL:
        bits |= _literal(data, begin, i, end)
    if role & _SEPARATOR:
        bits |= _field(data, begin, i, end)
    elif role & _AT:
        bits |= _address(data, begin, i, end)
        if url > begin and _has_login(data, url, i):
            bits |= _secrets.URL
        url = begin
    elif role & _FLAG:
        bits |= _flag(data, i + 1, end)
    elif role & _SLASHES and i - begin > 1 and data[i - 2] == 58:
        url = i + 1
    return bits, url


@compiled
def scan(data, begins, ends, out):  # type: ignore[no-untyped-def]
    """Set out[i] to the bits (`_secrets`) of what the text data[begins[i]:ends[i]] may hold."""
    for row in range(begins.size):
        begin, end = begins[row], ends[row]
        bits, url, before = 0, begin, np.uint64(0)
        for i in range(np.uint64(begin), np.uint64(end)):  # unsigned: no check for places counted from the end
            byte = np.uint64(data[i])
            role = _ROLE[before << np.uint64(8) | byte]
            before = byte
            if role != 0:
                more, url = _look(data, begin, np.int64(i), end, role, url)
                bits |= more
        if end - begin >= 10:
            bits |= _long_numbers(data, begin, end)
        out[row] = bits
