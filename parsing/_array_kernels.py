"""Compiled loops over Arrow arrays where they lie: what describes them, their parts, and copies of these.

An `ArrowArray` of Arrow's C data interface is ten numbers of eight bytes at an address, some of them addresses of more.
`describe` takes down what is needed of it and of its children, in so many numbers an array; children come behind their
parents, in order. The columns of a batch are its children. What an array is: a number of so many bytes, or one of the
kinds below.

`_frame_kernels` has compiled in what it takes from here, and the cache on disk does not notice a change of this file:
after one, touch that one.
"""

import numpy as np

from parsing._jit import compiled, inlined
from parsing._memory import call, int32s, int64s, move, octets

BITS, TEXT, LIST, MAP, STRUCT = 0, -1, -2, -3, -4
DESCRIBED = 7
"""Numbers that describe an array: its length, nulls and offset, where its children are described, and its buffers."""
LENGTH, NULLS, OFFSET, _CHILDREN, _BUFFERS = range(5)
_COUNTS, _ITS_BUFFERS, _ITS_CHILDREN, _RELEASE = 3, 5, 6, 8  # of an ArrowArray, which begins as a description does
PAD = 64  # what places of buffers are multiples of


@compiled
def describe(address, target):  # type: ignore[no-untyped-def]
    """Describe the ArrowArray at an address from `target` on, and let go of it: buffers live as long as their array."""
    out, done, last = int64s(target), 0, 1
    out[_CHILDREN] = address
    while done < last:  # those behind have their ArrowArray's address where that of their children will be
        array, one = int64s(out[DESCRIBED * done + _CHILDREN]), int64s(target + 8 * DESCRIBED * done)
        one[LENGTH], one[NULLS], one[OFFSET] = array[LENGTH], array[NULLS], array[OFFSET]
        for k in range(3):
            one[_BUFFERS + k] = int64s(array[_ITS_BUFFERS])[k] if k < array[_COUNTS] else 0
        one[_CHILDREN] = target + 8 * DESCRIBED * last
        for k in range(array[_COUNTS + 1]):
            out[DESCRIBED * last + _CHILDREN] = int64s(array[_ITS_CHILDREN])[k]
            last += 1
        done += 1
    call(int64s(address)[_RELEASE], address)


@inlined
def child(array, number):  # type: ignore[no-untyped-def]
    """Return what describes a child of an array."""
    return int64s(array[_CHILDREN] + 8 * DESCRIBED * number)


@inlined
def buffer_of(array, number):  # type: ignore[no-untyped-def]
    """Return the address of a buffer of an array, 0 if there is none."""
    return array[_BUFFERS + number]


@inlined
def null_count(array, first, rows):  # type: ignore[no-untyped-def]
    """Return how many of the rows from `first` on are null."""
    stated = array[NULLS]
    if stated == 0 or buffer_of(array, 0) == 0:
        return 0
    if stated == array[LENGTH]:
        return rows
    bits, begin, absent = octets(buffer_of(array, 0)), array[OFFSET] + first, rows
    for row in range(begin, begin + rows):
        absent -= bits[row >> 3] >> (row & 7) & 1
    return absent


@inlined
def bounds(array, first, rows):  # type: ignore[no-untyped-def]
    """Return where the values of rows begin and end in the data of texts, or in the child of lists or maps."""
    if rows == 0 or buffer_of(array, 1) == 0:
        return 0, 0
    offsets, begin = int32s(buffer_of(array, 1)), array[OFFSET] + first
    return np.int64(offsets[begin]), np.int64(offsets[begin + rows])


@inlined
def _add_bits(source, begin, rows, out, at):  # type: ignore[no-untyped-def]
    """Add to bits that are 0, from bit `at` on, those from bit `begin` of an address on."""
    bits, target = octets(source), octets(out)
    for row in range(rows):
        target[(at + row) >> 3] |= (bits[(begin + row) >> 3] >> ((begin + row) & 7) & 1) << ((at + row) & 7)


@inlined
def _clear(out, rows):  # type: ignore[no-untyped-def]
    """Write bits that are 0."""
    for k in range((rows + 7) // 8):
        octets(out)[k] = 0


@inlined
def put_bits(source, begin, rows, out):  # type: ignore[no-untyped-def]
    """Write bits, from bit `begin` of an address on."""
    _clear(out, rows)
    _add_bits(source, begin, rows, out, 0)


@inlined
def put_validity(array, first, rows, out):  # type: ignore[no-untyped-def]
    """Write which rows are not null."""
    if array[NULLS] != array[LENGTH]:
        put_bits(buffer_of(array, 0), array[OFFSET] + first, rows, out)
    else:
        _clear(out, rows)


@inlined
def put_offsets(array, first, rows, out):  # type: ignore[no-untyped-def]
    """Write the offsets of rows, from 0 on."""
    target, base = int32s(out), bounds(array, first, rows)[0]
    target[0] = 0
    if rows and buffer_of(array, 1) != 0:
        offsets, begin = int32s(buffer_of(array, 1)), array[OFFSET] + first
        for row in range(rows + 1):
            target[row] = offsets[begin + row] - base


@inlined
def _lay_out(made, kind, one, two, first, rows, out, room):  # type: ignore[no-untyped-def]
    """Say of an array of the rows of two where its buffers are, from `out` + `room` on; return the bytes so far."""
    count = rows[0] + rows[1]
    for k in range(3):
        size = 0
        if k == 0:
            size = (count + 7) // 8 if made[NULLS] else 0
        elif k == 1 and kind in (TEXT, MAP):
            size = 4 * (count + 1)
        elif k == 1 and kind >= 0:
            size = kind * count if kind else (count + 7) // 8
        elif k == 2 and kind == TEXT:
            size = _text_bytes(one, first[0], rows[0]) + _text_bytes(two, first[1], rows[1])
        made[_BUFFERS + k] = out + room if size else 0
        room += (size + PAD - 1) // PAD * PAD
    return room


@inlined
def _text_bytes(array, first, rows):  # type: ignore[no-untyped-def]
    begin, end = bounds(array, first, rows)
    return end - begin


@inlined
def _put_part(array, kind, first, rows, made, at):  # type: ignore[no-untyped-def]
    """Copy the rows of an array to the buffers of one that has `at` rows so far."""
    valid, out = buffer_of(made, 0), buffer_of(made, 1)
    if valid:
        if at == 0:
            _clear(valid, made[LENGTH])
        _add_validity(array, first, rows, valid, at)
    if kind in (TEXT, MAP):
        if at == 0:
            int32s(out)[0] = 0
        done = np.int64(int32s(out)[at])
        _add_offsets(array, first, rows, out, at)
        begin, end = bounds(array, first, rows)
        if kind == TEXT and end > begin:
            move(buffer_of(made, 2) + done, buffer_of(array, 2) + begin, end - begin)
    elif kind == BITS:
        if at == 0:
            _clear(out, made[LENGTH])
        _add_bits(buffer_of(array, 1), array[OFFSET] + first, rows, out, at)
    elif kind > 0:
        move(out + kind * at, buffer_of(array, 1) + kind * (array[OFFSET] + first), kind * rows)


@inlined
def _add_validity(array, first, rows, out, at):  # type: ignore[no-untyped-def]
    """Add to bits that are 0, from bit `at` on, which rows are not null."""
    if array[NULLS] == 0 or buffer_of(array, 0) == 0:
        target = octets(out)
        for row in range(at, at + rows):
            target[row >> 3] |= 1 << (row & 7)
    elif array[NULLS] != array[LENGTH]:
        _add_bits(buffer_of(array, 0), array[OFFSET] + first, rows, out, at)


@inlined
def _add_offsets(array, first, rows, out, at):  # type: ignore[no-untyped-def]
    """Write the offsets of rows behind those of `at` others, the last of which is there."""
    target, base = int32s(out), bounds(array, first, rows)[0]
    if rows and buffer_of(array, 1) != 0:
        offsets, begin = int32s(buffer_of(array, 1)), array[OFFSET] + first
        for row in range(1, rows + 1):
            target[at + row] = target[at] + offsets[begin + row] - base
    else:
        for row in range(1, rows + 1):
            target[at + row] = target[at]


@compiled
def join(parts, first, rows, kinds, target, out):  # type: ignore[no-untyped-def]
    """Put rows of the two arrays described at `parts` behind one another.

    `rows`: how many of each, and of the one that comes first, from row `first` on. `kinds`: what each of the arrays
    described is, and how many children it has. What comes of it is described at `target`, with its buffers from `out`
    on; 0: nothing is written there. Returns the bytes of these buffers.
    """
    firsts, counts = np.zeros((2, kinds.shape[0]), np.int64), np.zeros((2, kinds.shape[0]), np.int64)
    firsts[0, 0], counts[0, 0], counts[1, 0] = first, rows[0], rows[1]
    room, last = 0, 1
    for i in range(kinds.shape[0]):
        kind, made, own = kinds[i, 0], int64s(target + 8 * DESCRIBED * i), counts[:, i]
        made[LENGTH], made[NULLS], made[OFFSET] = own[0] + own[1], 0, 0
        made[_CHILDREN] = target + 8 * DESCRIBED * last
        one, two = int64s(parts[0] + 8 * DESCRIBED * i), int64s(parts[1] + 8 * DESCRIBED * i)
        made[NULLS] = null_count(one, firsts[0, i], own[0]) + null_count(two, firsts[1, i], own[1])
        room = _lay_out(made, kind, one, two, firsts[:, i], own, out, room)
        if out:
            _put_part(one, kind, firsts[0, i], own[0], made, 0)
            _put_part(two, kind, firsts[1, i], own[1], made, own[0])
        for _ in range(kinds[i, 1]):
            for k in range(2):
                array = one if k == 0 else two
                if kind == MAP:
                    begin, end = bounds(array, firsts[k, i], own[k])
                    firsts[k, last], counts[k, last] = begin, end - begin
                else:
                    firsts[k, last], counts[k, last] = firsts[k, i] + array[OFFSET], own[k]
            last += 1
    return room
