"""Integer keys for whole columns: codes of texts and of tuples, mixed hashes, the latest before.

In: Arrow and numpy arrays. Out: numpy arrays, one value per row. Knows nothing of alerts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNKNOWN = -(2**62)
"""A time that is not told: before all others, and its distance to any still fits 64 bits."""

_TEXT = pa.large_string()
_VOID = pa.array(["", "<NA>"], _TEXT)  # what Falco writes for 'no value'
_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def encode(columns: Sequence[pa.Array]) -> tuple[list[np.ndarray], pa.Array]:
    """Return the codes of text columns in one vocabulary, and the vocabulary; -1 is no text."""
    parts = [_dictionary(column) for column in columns]
    vocabulary = pa.chunked_array([part.dictionary for part in parts], _TEXT)
    merged = vocabulary.dictionary_encode().combine_chunks() if parts else None
    if merged is None or isinstance(merged, pa.ChunkedArray):
        return [np.full(len(part), -1) for part in parts], pa.array([], _TEXT)
    void = np.asarray(pc.is_in(merged.dictionary, _VOID))
    places = np.where(void, -1, np.arange(len(void)))[np.asarray(merged.indices)]
    places = np.append(places, -1)  # the last one answers for -1
    codes, start = [], 0
    for part in parts:
        own = np.asarray(part.indices.fill_null(-1), dtype=np.int64)
        codes.append(np.where(own < 0, -1, places[own + start]))
        start += len(part.dictionary)
    return codes, merged.dictionary


def _dictionary(column: pa.Array) -> pa.DictionaryArray:
    coded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    texts = coded.dictionary.cast(_TEXT)
    if texts.null_count:  # a missing label is a missing value
        coded = coded.dictionary_decode().dictionary_encode()
        texts = coded.dictionary.cast(_TEXT)
    return pa.DictionaryArray.from_arrays(coded.indices.cast(pa.int32()), texts)


def tuples(*keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a code for each row's tuple of integers, and the first row of each code."""
    codes, distinct = pd.factorize(mix(*keys))
    first = np.empty(len(distinct), dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes, first


def texts_hash(vocabulary: pa.Array) -> np.ndarray:
    """Return a 64-bit hash of each text; the last one, of index -1, is that of no text."""
    texts = vocabulary.to_numpy(zero_copy_only=False).astype(object)
    return np.append(pd.util.hash_array(texts, categorize=False), np.uint64(0))


def mix(*parts: np.ndarray) -> np.ndarray:
    """Return a 64-bit hash of each row's integers (splitmix64's finalizer over each in turn).

    Told apart are processes within one load, not adversaries: a process is made of numbers that
    the kernel gave. Two of a million processes collide once in some 37 million loads.
    """
    mixed = np.full(np.shape(parts[0]), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for part in parts:
        mixed = (mixed ^ part.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def hexadecimal(prefix: str, numbers: np.ndarray) -> pa.Array:
    """Return `prefix` and 16 hexadecimal digits for each 64-bit number."""
    octets = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)
    width = len(prefix) + 16
    text = np.empty((len(numbers), width), dtype=np.uint8)
    text[:, : len(prefix)] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    text[:, len(prefix) :: 2] = _DIGITS[octets >> 4]
    text[:, len(prefix) + 1 :: 2] = _DIGITS[octets & 15]
    offsets = np.arange(len(numbers) + 1, dtype=np.int64) * width
    return pa.LargeStringArray.from_buffers(
        len(numbers), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text))
    )


def latest(group: np.ndarray, when: np.ndarray, asked: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return for each question (group `asked`, time `at`) the last entry not after it, or -1."""
    groups, times = np.concatenate([group, asked]), np.concatenate([when, at])
    question = np.arange(len(groups)) >= len(group)
    order = np.lexsort((question, times, groups))
    place = np.where(question[order], -1, np.arange(len(order)))
    found = np.maximum.accumulate(place) if len(place) else place
    entry = np.where(found < 0, -1, order[found])
    entry = np.where((entry >= 0) & (groups[entry] == groups[order]), entry, -1)
    answers = np.empty(len(order), dtype=np.int64)
    answers[order] = entry
    return answers[len(group) :]


def earliest(
    owner: np.ndarray, when: np.ndarray, count: int, content: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return for each of `count` owners the index of its earliest entry, or -1.

    Among entries of one time `content`, asked for those indices only, decides: never their order.
    """
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, owner, when)
    entries = np.flatnonzero(when == first[owner])
    chosen = np.full(count, -1)
    chosen[owner[entries]] = entries
    tied = entries[np.bincount(owner[entries], minlength=count)[owner[entries]] > 1]
    if len(tied):
        tied = tied[np.lexsort((content(tied), owner[tied]))[::-1]]
        chosen[owner[tied]] = tied  # the last one written stays
    return chosen
