"""Run header programs (`_program`) over the rows of a byte buffer, in compiled code.

What a program does on the first bytes of a line depends only on which of the sets it looks for these are in. So lines
that begin alike, as far as the program can tell, are at the same instruction behind that beginning, and are put there
at once. Where nothing but the message follows, that is all: the fields are where they are in the line before. A memo of
such a beginning is made from a line, lasts for a call, and changes nothing but the time it takes.

All that runs is in this file: the cache of compiled code on disk notices a change of the file it is compiled from, not
of others. After a change of the operations in `_program`, touch this file.
"""

import numpy as np

from parsing import _program as p
from parsing._expression import END
from parsing._jit import compiled, inlined
from parsing._wide import BLOCK, outside, pointer, trailing

_SET, _SPAN, _GREEDY, _LAZY, _SPLIT, _SAVE = p.SET, p.SPAN, p.GREEDY, p.LAZY, p.SPLIT, p.SAVE
_SWITCH, _AT_END, _BORDER, _REST, _DONE = p.SWITCH, p.AT_END, p.BORDER, p.REST, p.DONE
_COLUMNS, _BYTES = p.COLUMNS, END + 1
_BRANCH, _UNDO, _GIVE, _TAKE = 0, 1, 2, 3
_PC, _AT, _TOP, _FAR, _SAVED = 0, 1, 2, 3, 4  # of a frame: where things are; what is saved, then the stack, is last
_STEPS = 20_000
_DEPTH = 4096  # of the stack, of which an entry takes four
_KEPT = 32  # the same, in a memo
_MEMOS, _LEAST, _PATIENCE = 8, 8, 32  # memos at a time, bytes one is worth making for, lines without one until they go

MATCH, NO_MATCH, UNDECIDED = 1, 0, 2
"""Outcomes; undecided: the line needs more steps than are worth it here, ask RE2."""


@inlined
def _is_word(byte):  # type: ignore[no-untyped-def]
    return (48 <= byte <= 57) or (65 <= byte <= 90) or byte == 95 or (97 <= byte <= 122)


@inlined
def _has(sets, among, data, at, end):  # type: ignore[no-untyped-def]
    """Return whether the byte at a place, or the end, is in a set."""
    return sets[among * _BYTES + (data[at] if at < end else END)] != 0


@inlined
def _back(code, sets, data, end, frame, bottom, top, far):  # type: ignore[no-untyped-def]
    """Return where to go on from the last choice on the stack: (instruction, -1 if there is none; at, top, far)."""
    while top > bottom:
        top -= 4
        kind, one, at = frame[top], frame[top + 1], frame[top + 2]
        if kind == _BRANCH:
            return one, at, top, far
        if kind == _UNDO:
            frame[_SAVED + one] = at
            continue
        follow = code[one + 4]
        if kind == _GIVE:  # give back until what follows can begin there
            least = frame[top + 3]
            at -= 1
            while at >= least and not _has(sets, follow, data, at, end):
                at -= 1
            if at < least:
                continue
            frame[top + 2] = at
            again = at > least
        else:  # take more until what follows can begin there; `at` is where it was tried last
            most, among = min(end, frame[top + 3]), code[one + 1]
            while not _has(sets, follow, data, at, end) and at < most and sets[among * _BYTES + data[at]]:
                at += 1
            far = max(far, at + 1)
            if not _has(sets, follow, data, at, end):
                continue
            frame[top + 2] = at + 1
            again = at < most and sets[among * _BYTES + data[at]] != 0
        return np.int64(code[one + 5]), at, top + 4 * again, far
    return -1, 0, top, far


@compiled
def _run(code, sets, jumps, data, start, end, steps, frame, groups):  # type: ignore[no-untyped-def]
    """Match data[start:end] as a whole, going on from a frame.

    Group i is then data[frame[_SAVED + 2 * i]:frame[_SAVED + 2 * i + 1]], -1 if absent. UNDECIDED after so many steps:
    one can go on from the frame. All bytes that were looked at are before frame[_FAR].
    """
    pc, at, top, far = frame[_PC], frame[_AT], frame[_TOP], frame[_FAR]
    bottom = _SAVED + 2 * groups
    while steps > 0 and top < bottom + _DEPTH - 8:
        steps -= 1
        one = pc * _COLUMNS
        operation, a = code[one], code[one + 1]
        pc = code[one + 5]
        good = True
        if operation == _SET:
            good = at < end and sets[a * _BYTES + data[at]] != 0
            at += good
        elif operation == _SPAN:
            least, stop = at + code[one + 2], min(end, at + code[one + 3])
            while at < stop and sets[a * _BYTES + data[at]]:
                at += 1
            good = at >= least
        elif operation == _SWITCH:
            pc = jumps[a * _BYTES + (data[at] if at < end else END)]
        elif operation == _SAVE:
            if top > bottom:
                frame[top], frame[top + 1], frame[top + 2] = _UNDO, a, frame[_SAVED + a]
                top += 4
            frame[_SAVED + a] = at
        elif operation == _REST:
            at = end
        elif operation == _GREEDY:
            least, stop = at + code[one + 2], min(end, at + code[one + 3])
            while at < stop and sets[a * _BYTES + data[at]]:
                at += 1
            if at >= least:
                frame[top], frame[top + 1], frame[top + 2], frame[top + 3] = _GIVE, one, at + 1, least
                top += 4
            good = False
        elif operation == _LAZY:
            least, most = at + code[one + 2], at + code[one + 3]
            while at < least and at < end and sets[a * _BYTES + data[at]]:
                at += 1
            if at >= least:
                frame[top], frame[top + 1], frame[top + 2], frame[top + 3] = _TAKE, one, at, most
                top += 4
            good = False
        elif operation == _SPLIT:
            frame[top], frame[top + 1], frame[top + 2] = _BRANCH, code[one + 2], at
            top += 4
            pc = a
        elif operation == _AT_END:
            good = at == end
        elif operation == _BORDER:
            good = (at > start and _is_word(data[at - 1])) != (at < end and _is_word(data[at]))
        elif operation == _DONE:
            if at == end:
                return MATCH
            good = False
        else:
            good = False
        far = max(far, at + 1)
        if not good:
            pc, at, top, far = _back(code, sets, data, end, frame, bottom, top, far)
            if pc < 0:
                return NO_MATCH
    frame[_PC], frame[_AT], frame[_TOP], frame[_FAR] = pc, at, top, far
    return UNDECIDED


@inlined
def _begin(frame, entry, start, groups):  # type: ignore[no-untyped-def]
    frame[_PC], frame[_AT], frame[_TOP], frame[_FAR] = entry, start, _SAVED + 2 * groups, start
    for k in range(_SAVED, _SAVED + 2 * groups):
        frame[k] = -1


@inlined
def _shift(frame, first, by, groups, out, place):  # type: ignore[no-untyped-def]
    """Set the frame at out[place] to that at frame[first], of a line that begins `by` bytes later."""
    bottom = _SAVED + 2 * groups
    out[place + _PC], out[place + _TOP] = frame[first + _PC], frame[first + _TOP]
    out[place + _AT], out[place + _FAR] = frame[first + _AT] + by, frame[first + _FAR] + by
    for k in range(_SAVED, bottom):
        value = frame[first + k]
        out[place + k] = value + by if value >= 0 else value
    for k in range(bottom, frame[first + _TOP], 4):  # an entry: its kind, a place in the program, two in the data
        out[place + k], out[place + k + 1] = frame[first + k], frame[first + k + 1]
        value = frame[first + k + 2]
        out[place + k + 2] = value + by if value >= 0 else value
        out[place + k + 3] = frame[first + k + 3] + by


@inlined
def _is_rest(code, pc):  # type: ignore[no-untyped-def]
    """Return whether a group to the end of the line is all that follows."""
    one = pc * _COLUMNS
    then = code[one + 5] * _COLUMNS
    return code[one] == _REST and code[then] == _SAVE and code[code[then + 5] * _COLUMNS] == _DONE


@inlined
def _narrow(data, start, first, last, alike, among, bounds, m):  # type: ignore[no-untyped-def]
    """Bound the bytes from `first` to before `last` to those that a set, or switch, does not tell from the line's."""
    for k in range(first, min(last, BLOCK)):
        byte = data[start + k]
        bounds[0, m, k] = max(bounds[0, m, k], alike[0, among, byte])
        bounds[1, m, k] = min(bounds[1, m, k], alike[1, among, byte])


@inlined
def _narrow_by_step(code, switches, data, start, memo, frame, bottom, alike, bounds, m):  # type: ignore[no-untyped-def]
    """Bound the bytes that a step looked at, from the frame `memo`, whose places are from `start` on, to `frame`."""
    one, at, far, top = memo[_PC] * _COLUMNS, memo[_AT], frame[_FAR] - start, frame[_TOP]
    operation, a = code[one], code[one + 1]
    if operation in (_SET, _SPAN):
        _narrow(data, start, at, at + 1 if operation == _SET else far, alike, a, bounds, m)
    elif operation == _SWITCH:
        _narrow(data, start, at, at + 1, alike, switches + a, bounds, m)
    elif operation == _BORDER:
        _narrow(data, start, max(at - 1, 0), at + 1, alike, a, bounds, m)
    elif operation in (_GREEDY, _LAZY):
        _narrow(data, start, at, far, alike, a, bounds, m)
        _narrow(data, start, at, far, alike, code[one + 4], bounds, m)
    for choice in range(max(top - 4, bottom), memo[_TOP], 4):  # those that were tried
        if choice < top and frame[choice + 2] - start == memo[choice + 2]:
            continue
        repeated, place = memo[choice + 1], memo[choice + 2]
        if memo[choice] == _GIVE:
            _narrow(data, start, memo[choice + 3], place, alike, code[repeated + 4], bounds, m)
        elif memo[choice] == _TAKE:
            _narrow(data, start, place, far, alike, code[repeated + 1], bounds, m)
            _narrow(data, start, place, far, alike, code[repeated + 4], bounds, m)


@compiled
def _remember(parts, switches, alike, entry, data, start, end, width, frame, groups, m, frames, bounds):  # type: ignore[no-untyped-def]
    """Make memo m of a line's first `width` bytes: the last frame before a byte behind them is looked at.

    It holds for lines whose byte k is from bounds[0, m, k] to bounds[1, m, k]. `frame` is scratch. Returns whether
    nothing but a group to the end of the line follows.
    """
    memo, code = pointer(frames[m]), parts[0]
    bounds[0, m, :], bounds[1, m, :] = 0, 255
    _begin(frame, entry, start, groups)
    while frame[_FAR] <= min(end, start + width) and frame[_TOP] <= _SAVED + 2 * groups + _KEPT:
        _shift(frame, 0, -start, groups, memo, 0)
        if _is_rest(code, memo[_PC]) or _run(*parts, data, start, end, 1, frame, groups) != UNDECIDED:
            break
        _narrow_by_step(code, switches, data, start, memo, frame, _SAVED + 2 * groups, alike, bounds, m)
    for k in range(memo[_FAR], BLOCK):
        bounds[0, m, k], bounds[1, m, k] = 0, 255
    return _is_rest(code, memo[_PC])


@inlined
def _recalled(data, start, end, number, programs, memos, stride, low, high, count):  # type: ignore[no-untyped-def]
    """Return the memo that holds for a line, -1 if none does; 64 bytes can be read from its beginning on."""
    for m in range(count):
        if (
            programs[m] == number
            and start + memos[m * stride + _FAR] <= end
            and outside(data, start, low, high, m) == 0
        ):
            return m
    return -1


@inlined
def _shared(data, start, number, programs, low, high, count):  # type: ignore[no-untyped-def]
    """Return the most bytes a line shares with a memo of its program that does not hold for it."""
    most = 0
    for m in range(count):
        if programs[m] == number:
            most = max(most, trailing(outside(data, start, low, high, m)) % BLOCK)
    return most


@inlined
def _put_fields(frame, fields, used, number, row, begins, ends):  # type: ignore[no-untyped-def]
    """Set the fields of a row to the groups of the program that matched it."""
    for k in range(used.size):
        begins[used[k], row] = ends[used[k], row] = 0
    for g in range(fields.shape[1]):
        field = fields[number, g]
        if field < 0:
            break
        first, last = frame[_SAVED + 2 * g], frame[_SAVED + 2 * g + 1]
        if last >= 0 and ends[field, row] == 0:
            begins[field, row], ends[field, row] = first, last


@inlined
def _keep_fields(used, row, start, end, begins, ends, m, kept):  # type: ignore[no-untyped-def]
    """Keep where the fields of a row are from its start on: -1 for absent ones, or to the end of the line."""
    for k in range(used.size):
        begin, stop = begins[used[k], row], ends[used[k], row]
        kept[m, k, 0] = begin - start if stop else -1
        kept[m, k, 1] = stop - start if stop < end else -1


@inlined
def _put_kept(kept, used, count, row, rows, start, end, begins, ends):  # type: ignore[no-untyped-def]
    """Set the fields of a row to what was kept of another."""
    for k in range(count):
        begin, stop, place = kept[2 * k], kept[2 * k + 1], used[k] * rows + row
        begins[place] = start + begin if begin >= 0 else 0
        ends[place] = 0 if begin < 0 else start + stop if stop >= 0 else end


@compiled
def take_headers(code, sets, jumps, alike, entries, fields, used, data, starts, stops, rows, which, begins, ends):  # type: ignore[no-untyped-def]
    """Take the header off each row by the first program that matches it whole.

    Program p starts at entries[p]; its group g is the field fields[p, g]; `used` are the fields of any. which[i]
    becomes the program of rows[i], -1 for none, -2 for undecided; begins and ends (shape [field, row]) where its
    fields are, field 0 being the message.
    """
    groups = fields.shape[1]
    stride = _SAVED + 2 * groups + _KEPT + 4
    frames, live = np.empty((_MEMOS, stride), np.int64), np.empty(_SAVED + 2 * groups + _DEPTH, np.int64)
    bounds, numbers = np.empty((2, _MEMOS, BLOCK), np.uint8), np.empty(_MEMOS, np.int64)
    text, parts = pointer(data), (pointer(code), pointer(sets), pointer(jumps))
    tables = parts, sets.shape[0], alike
    frame, memos = pointer(live), pointer(frames)
    low, high, programs = pointer(bounds[0]), pointer(bounds[1]), pointer(numbers)
    whole, kept = np.zeros(_MEMOS, np.bool_), np.empty((_MEMOS, used.size, 2), np.int64)
    places, field_begins, field_ends = pointer(used), pointer(begins), pointer(ends)
    count, missed, width = 0, 0, BLOCK
    for i in range(rows.size):
        start, end = starts[rows[i]], stops[rows[i]]
        wide = start + BLOCK <= data.size
        outcome, number, memo = NO_MATCH, -1, -1
        while outcome == NO_MATCH and number + 1 < entries.size:
            number += 1
            memo = _recalled(text, start, end, number, programs, memos, stride, low, high, count) if wide else -1
            if memo >= 0 and whole[memo]:
                break
            if memo >= 0:
                _shift(memos, memo * stride, start, groups, frame, 0)
            else:
                _begin(frame, entries[number], start, groups)
            outcome = _run(*parts, text, start, end, _STEPS, frame, groups)
        if memo >= 0 and whole[memo]:
            which[i] = number
            mine = pointer(kept[memo])
            _put_kept(mine, places, used.size, rows[i], starts.size, start, end, field_begins, field_ends)
            continue
        which[i] = number if outcome == MATCH else -2 if outcome == UNDECIDED else -1
        if outcome != MATCH:
            continue
        _put_fields(frame, fields, used, number, rows[i], begins, ends)
        if memo >= 0 or not wide or width < _LEAST or start == 0:  # at 0, an empty field looks like none
            continue
        missed += 1
        if count == _MEMOS and missed > _PATIENCE:
            width = min(width - 1, _shared(text, start, number, programs, low, high, count))
            count, missed = 0, 0
        elif count < _MEMOS and missed > _PATIENCE // _MEMOS * count:
            line = text, start, end, width
            whole[count] = _remember(*tables, entries[number], *line, frame, groups, count, frames, bounds)
            _keep_fields(used, rows[i], start, end, begins, ends, count, kept)
            numbers[count] = number
            count, missed = count + (frames[count, _FAR] >= _LEAST), 0
    live[0] = 0  # a pointer does not keep what it points to: this does
