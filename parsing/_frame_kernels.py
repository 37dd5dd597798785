"""Compiled loops that look at batches of LINES, and write others as IPC messages (`_frames`).

`types` says what a column is: a number of so many bytes, or one of the kinds below. `sources` (shape [column, 3]) says
what it is made of, and which of these: `LINE`, a column of the batch whose columns are described from the address
`columns` on; `ARROW`, an array described at that address; `GIVEN`, a row of `numbers`, or one of `begins` and `ends`,
which are places of texts in data 0 or 1 (the third), or, a list, what `lists` says; `FILLED`, the same where the number
0, or an empty text, is null; `ZEROS`, nothing else. `lists`: row i has the texts from lists[0][i] up to
lists[0][i + 1], text k being in data 0 from lists[1][k] to lists[2][k].
"""

import numpy as np

from parsing._array_kernels import (
    BITS,
    DESCRIBED,
    LENGTH,
    LIST,
    MAP,
    NULLS,
    OFFSET,
    PAD,
    TEXT,
    bounds,
    buffer_of,
    child,
    null_count,
    put_bits,
    put_offsets,
    put_validity,
)
from parsing._jit import compiled, inlined
from parsing._memory import int8s, int32s, int64s, move, octets, place_of
from parsing._wide import copy_32, pointer

LINE, ARROW, GIVEN, FILLED, ZEROS = range(5)
NO_TIME = np.iinfo(np.int64).min


@inlined
def _all_alike(array, rows):  # type: ignore[no-untyped-def]
    """Return whether texts without nulls are the same in all rows."""
    begin, end = bounds(array, 0, rows)
    size = (end - begin) // rows
    offsets, first = int32s(buffer_of(array, 1)), array[OFFSET]
    for row in range(rows + 1):
        if offsets[first + row] - begin != row * size:
            return False
    text = octets(buffer_of(array, 2))
    differ = 0
    for k in range(begin + size, end):
        differ |= text[k] ^ text[k - size]
    return differ == 0


@inlined
def _mark_nulls(array, rows, out):  # type: ignore[no-untyped-def]
    bits, first = octets(buffer_of(array, 0)), array[OFFSET]
    for row in range(rows):
        if array[NULLS] == array[LENGTH] or bits[(first + row) >> 3] >> ((first + row) & 7) & 1 == 0:
            out[row] = NO_TIME


@compiled
def look(target, width, columns, rows, places, marked):  # type: ignore[no-untyped-def]
    """Look at a batch of LINES, which has rows, and `width` columns, and is described at `target`.

    `columns`: where body, service, offset, observed time, time and structured are. `places` (shape [5, row]) becomes
    where each body begins and ends in the bytes used, its offset, when it was observed, and its time (NO_TIME: null);
    marked[row] whether it is structured. Returns the address of these bytes and how many there are, and whether one is
    the escape character, some row is structured, and all rows are of one service, or of none; where its name is, and
    its bytes (-1: none); and bits for the columns that have a value, and those that have a null.
    """
    batch = int64s(target)
    filled, holed = np.int64(0), np.int64(0)
    for c in range(width):
        absent = null_count(child(batch, c), 0, rows)
        filled |= np.int64(absent < rows) << c
        holed |= np.int64(absent > 0) << c
    body = child(batch, columns[0])
    begin, end = bounds(body, 0, rows)
    offsets, first = int32s(buffer_of(body, 1)), body[OFFSET]
    for row in range(rows):
        places[0, row], places[1, row] = offsets[first + row] - begin, offsets[first + row + 1] - begin
    text, escaped = octets(buffer_of(body, 2)), False
    for k in range(begin, end):
        escaped |= text[k] == 27
    for k in range(2, 5):
        column = child(batch, columns[k])
        if filled >> columns[k] & 1:
            move(place_of(places[k]), buffer_of(column, 1) + 8 * column[OFFSET], 8 * rows)
        if holed >> columns[k] & 1:
            _mark_nulls(column, rows, places[k])
    column, structured = child(batch, columns[5]), False
    bits, first = octets(buffer_of(column, 1)), column[OFFSET]
    for row in range(rows):
        marked[row] = bits[(first + row) >> 3] >> ((first + row) & 7) & 1
        structured |= marked[row]
    service, name, size = child(batch, columns[1]), 0, -1
    alike = filled >> columns[1] & 1 == 0 or (holed >> columns[1] & 1 == 0 and _all_alike(service, rows))
    if alike and filled >> columns[1] & 1:
        begin_name, end_name = bounds(service, 0, 1)
        name, size = buffer_of(service, 2) + begin_name, end_name - begin_name
    return buffer_of(body, 2) + begin, end - begin, escaped, structured, alike, name, size, filled, holed


@inlined
def _array(what, which, columns):  # type: ignore[no-untyped-def]
    """Return the description of the array that a column is, if it is one."""
    return int64s(columns + 8 * DESCRIBED * which if what == LINE else which)


@inlined
def _text_sizes(array, first, rows, nodes, node, buffers, buffer):  # type: ignore[no-untyped-def]
    """Lay out a column of texts."""
    begin, end = bounds(array, first, rows)
    nodes[node, 0], nodes[node, 1] = rows, null_count(array, first, rows)
    buffers[buffer, 1] = (rows + 7) // 8 if nodes[node, 1] else 0
    buffers[buffer + 1, 1], buffers[buffer + 2, 1] = 4 * (rows + 1), end - begin


@inlined
def _span_sizes(begins, ends, rows, nodes, node, buffers, buffer, filled):  # type: ignore[no-untyped-def]
    size = empty = 0
    for row in range(rows):
        size += ends[row] - begins[row]
        empty += ends[row] == begins[row]
    nodes[node, 0], nodes[node, 1] = rows, empty if filled else 0
    buffers[buffer, 1] = (rows + 7) // 8 if nodes[node, 1] else 0
    buffers[buffer + 1, 1], buffers[buffer + 2, 1] = 4 * (rows + 1), size


@inlined
def _parts(head, marks):  # type: ignore[no-untyped-def]
    """Return what a message's head says of fields (length, nulls) and of buffers (place, bytes)."""
    nodes, buffers = head[marks[2] : marks[2] + 2 * marks[3]], head[marks[4] : marks[4] + 2 * marks[5]]
    return nodes.reshape((marks[3], 2)), buffers.reshape((marks[5], 2))


@inlined
def _measure(head, marks, types, sources, columns, rows, numbers, begins, ends, lists):  # type: ignore[no-untyped-def]
    """Lay out the columns, and say in the message's head how; returns the bytes of all.

    `marks`: at which of the head's numbers are the rows, the bytes of all columns, the fields and how many they are,
    and the buffers and how many.
    """
    nodes, buffers = _parts(head, marks)
    node = buffer = 0
    for c in range(types.size):
        kind, what, which = types[c], sources[c, 0], sources[c, 1]
        array = _array(what, which, columns)
        nodes[node, 0], nodes[node, 1] = rows, 0
        if what <= ARROW:
            nodes[node, 1] = null_count(array, 0, rows)
        elif what == FILLED and kind > 0:
            for row in range(rows):
                nodes[node, 1] += numbers[which, row] == 0
        buffers[buffer, 1] = (rows + 7) // 8 if nodes[node, 1] else 0
        if kind == TEXT and what <= ARROW:
            _text_sizes(array, 0, rows, nodes, node, buffers, buffer)
        elif kind == TEXT:
            _span_sizes(begins[which], ends[which], rows, nodes, node, buffers, buffer, what == FILLED)
        elif kind == LIST:
            buffers[buffer + 1, 1] = 4 * (rows + 1)
            _span_sizes(lists[1], lists[2], lists[0][rows], nodes, node + 1, buffers, buffer + 2, False)
        elif kind == MAP:
            begin, end = bounds(array, 0, rows)
            entries = child(array, 0)
            nodes[node + 1, 0], nodes[node + 1, 1] = end - begin, 0
            buffers[buffer + 1, 1], buffers[buffer + 2, 1] = 4 * (rows + 1), 0
            for k in range(2):
                first = begin + entries[OFFSET]
                _text_sizes(child(entries, k), first, end - begin, nodes, node + 2 + k, buffers, buffer + 3 + 3 * k)
        else:
            buffers[buffer + 1, 1] = kind * rows if kind else (rows + 7) // 8
        node += 4 if kind == MAP else 2 if kind == LIST else 1
        buffer += 9 if kind == MAP else 5 if kind == LIST else 3 if kind == TEXT else 2
    at = 0
    for b in range(buffer):
        buffers[b, 0] = at
        at += (buffers[b, 1] + PAD - 1) // PAD * PAD
    head[marks[0]], head[marks[1]] = rows, at
    return at


@inlined
def _put_array(array, first, rows, out, buffers, buffer):  # type: ignore[no-untyped-def]
    """Write a column of texts as it is."""
    if buffers[buffer, 1]:
        put_validity(array, first, rows, out + buffers[buffer, 0])
    put_offsets(array, first, rows, out + buffers[buffer + 1, 0])
    if buffers[buffer + 2, 1]:
        source = buffer_of(array, 2) + bounds(array, first, rows)[0]
        move(out + buffers[buffer + 2, 0], source, buffers[buffer + 2, 1])


@inlined
def _put_spans(data, size, begins, ends, rows, out, room, buffers, buffer):  # type: ignore[no-untyped-def]
    """Write a column of texts that are places in `size` bytes of data; 32 bytes behind a text may be written too."""
    offsets, at, last = int32s(out + buffers[buffer + 1, 0]), 0, size - 32
    target, place, space = octets(out), buffers[buffer + 2, 0], room - 32
    if buffers[buffer, 1]:
        valid = octets(out + buffers[buffer, 0])
        for k in range(buffers[buffer, 1]):
            valid[k] = 0
        for row in range(rows):
            valid[row >> 3] |= (ends[row] > begins[row]) << (row & 7)
    offsets[0] = 0
    for row in range(rows):
        begin, count, k = begins[row], ends[row] - begins[row], 0
        while k < count and begin + k <= last and place + k <= space:
            copy_32(data, begin + k, target, place + k)
            k += 32
        while k < count:
            target[place + k] = data[begin + k]
            k += 1
        at += count
        place += count
        offsets[row + 1] = at


@inlined
def _put_numbers(numbers, rows, width, out):  # type: ignore[no-untyped-def]
    if width == 8:
        move(out, place_of(numbers), 8 * rows)
    elif width == 4:
        for row in range(rows):
            int32s(out)[row] = numbers[row]
    else:
        for row in range(rows):
            int8s(out)[row] = numbers[row]


@inlined
def _put_filled(numbers, rows, out):  # type: ignore[no-untyped-def]
    """Write which rows have a number other than 0."""
    valid = octets(out)
    for k in range((rows + 7) // 8):
        valid[k] = 0
    for row in range(rows):
        valid[row >> 3] |= (numbers[row] != 0) << (row & 7)


@inlined
def _write(head, marks, types, sources, columns, rows, numbers, data, other, begins, ends, lists, target):  # type: ignore[no-untyped-def]
    """Write at the address `target` a message with the columns that were laid out."""
    buffers, room, out = _parts(head, marks)[1], head[marks[1]], target + 8 * head.size
    move(target, place_of(head), 8 * head.size)
    buffer = 0
    for c in range(types.size):
        kind, what, which = types[c], sources[c, 0], sources[c, 1]
        array, values = _array(what, which, columns), out + buffers[buffer + 1, 0]
        if kind == TEXT:
            if what <= ARROW:
                _put_array(array, 0, rows, out, buffers, buffer)
            elif sources[c, 2]:
                _put_spans(pointer(other), other.size, begins[which], ends[which], rows, out, room, buffers, buffer)
            else:
                _put_spans(pointer(data), data.size, begins[which], ends[which], rows, out, room, buffers, buffer)
        elif kind == LIST:
            offsets = int32s(values)
            for row in range(rows + 1):
                offsets[row] = lists[0][row]
            count = lists[0][rows]
            _put_spans(pointer(data), data.size, lists[1], lists[2], count, out, room, buffers, buffer + 2)
        else:
            if buffers[buffer, 1] and what <= ARROW:
                put_validity(array, 0, rows, out + buffers[buffer, 0])
            elif buffers[buffer, 1]:
                _put_filled(numbers[which], rows, out + buffers[buffer, 0])
            if kind == MAP:
                put_offsets(array, 0, rows, values)
                begin, end = bounds(array, 0, rows)
                entries = child(array, 0)
                for k in range(2):
                    first = begin + entries[OFFSET]
                    _put_array(child(entries, k), first, end - begin, out, buffers, buffer + 3 + 3 * k)
            elif what <= ARROW and kind == BITS:
                put_bits(buffer_of(array, 1), array[OFFSET], rows, values)
            elif what <= ARROW:
                move(values, buffer_of(array, 1) + kind * array[OFFSET], kind * rows)
            elif what != ZEROS:
                _put_numbers(numbers[which], rows, kind, values)
            else:
                for k in range(buffers[buffer + 1, 1]):
                    octets(values)[k] = 0
        buffer += 9 if kind == MAP else 5 if kind == LIST else 3 if kind == TEXT else 2


@compiled
def message(blank, marks, types, sources, columns, rows, numbers, data, other, begins, ends, lists):  # type: ignore[no-untyped-def]
    """Return a message: its head, which is `blank` until it says how the columns are laid out, and these."""
    head = blank.copy()
    room = _measure(head, marks, types, sources, columns, rows, numbers, begins, ends, lists)
    made = np.empty(8 * head.size + room + PAD, np.uint8)
    begin = -place_of(made) & (PAD - 1)
    _write(
        head, marks, types, sources, columns, rows, numbers, data, other, begins, ends, lists, place_of(made) + begin
    )
    return made[begin : begin + 8 * head.size + room]
