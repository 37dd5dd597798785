"""Compiled loops that cut, compare and copy texts, and so make Arrow's buffers."""

from parsing._jit import compiled
from parsing._wide import copy_32, pointer


@compiled
def number_texts(data, begins, ends, known, known_offsets, numbers, row, out):  # type: ignore[no-untyped-def]
    """Set out[i] to the number of text i, which is one of those known.

    Known text k is known[known_offsets[k]:known_offsets[k + 1]], and its number numbers[k]. Begins at `row`; returns
    the row of the first text that is not known, or how many texts there are.
    """
    while row < begins.size:
        size = ends[row] - begins[row]
        place = -1
        for k in range(numbers.size):
            at = known_offsets[k]
            if known_offsets[k + 1] - at != size:
                continue
            same = 0
            while same < size and known[at + same] == data[begins[row] + same]:
                same += 1
            if same == size:
                place = k
                break
        if place < 0:
            return row
        out[row] = numbers[place]
        row += 1
    return row


@compiled
def measure(begins, ends, offsets, valid, out):  # type: ignore[no-untyped-def]
    """Lay out columns of texts (shape [column, row]): Arrow's offsets and validity; returns the bytes of all.

    out[:, c] becomes what column c has: bytes before it, bytes, and empty texts.
    """
    before = 0
    for column in range(begins.shape[0]):
        total = 0
        for row in range(begins.shape[1]):
            size = ends[column, row] - begins[column, row]
            total += size
            offsets[column, row + 1] = total
            if size > 0:
                valid[column, row >> 3] |= 1 << (row & 7)
            else:
                out[2, column] += 1
        out[0, column], out[1, column] = before, total
        before += total
    return before


@compiled
def copy(data, begins, ends, places, out):  # type: ignore[no-untyped-def]
    """Copy columns of texts (shape [column, row]) one after the other, column c from out[places[c]] on.

    Of `out`, 32 bytes behind a text may be written too, before the text after it is.
    """
    text, room, target, space = pointer(data), data.size - 32, pointer(out), out.size - 32
    for column in range(begins.shape[0]):
        at = places[column]
        for row in range(begins.shape[1]):
            begin, size = begins[column, row], ends[column, row] - begins[column, row]
            k = 0
            while k < size and begin + k <= room and at + k <= space:
                copy_32(text, begin + k, target, at + k)
                k += 32
            while k < size:
                target[at + k] = text[begin + k]
                k += 1
            at += size


@compiled
def measure_entries(begins, ends, key_sizes, offsets, valid):  # type: ignore[no-untyped-def]
    """Lay out a map of the texts that are not empty (shape [kind, row]): offsets, validity.

    Returns (entries, bytes of keys, bytes of values, rows without an entry).
    """
    entries = keys = values = absent = 0
    for row in range(begins.shape[1]):
        before = entries
        for kind in range(begins.shape[0]):
            size = ends[kind, row] - begins[kind, row]
            if size > 0:
                entries += 1
                keys += key_sizes[kind]
                values += size
        offsets[row + 1] = entries
        if entries > before:
            valid[row >> 3] |= 1 << (row & 7)
        else:
            absent += 1
    return entries, keys, values, absent


@compiled
def copy_entries(data, begins, ends, keys, key_offsets, out_keys, out_key_offsets, out_values, out_value_offsets):  # type: ignore[no-untyped-def]
    """Copy the entries laid out by `measure_entries`; key k is keys[key_offsets[k]:key_offsets[k + 1]]."""
    entry = key_at = value_at = 0
    for row in range(begins.shape[1]):
        for kind in range(begins.shape[0]):
            begin, end = begins[kind, row], ends[kind, row]
            if end <= begin:
                continue
            for k in range(key_offsets[kind], key_offsets[kind + 1]):
                out_keys[key_at] = keys[k]
                key_at += 1
            for k in range(begin, end):
                out_values[value_at] = data[k]
                value_at += 1
            entry += 1
            out_key_offsets[entry] = key_at
            out_value_offsets[entry] = value_at
