"""Signatures equal datasketch's, and near-duplicates are found."""

import random

import numpy as np
import pytest
import xxhash

from indexer.curation.minhash import near_duplicates, permutations, shingle_hashes, signature
from indexer.curation.parameters import Parameters

PARAMETERS = Parameters()
WORDS = [f"word{number}" for number in range(5000)]


def text(seed, count=300):
    return " ".join(random.Random(seed).choices(WORDS, k=count))


def edited(original, share, seed=0):
    """The same text with one run of words replaced, so that few shingles change."""
    words = original.split()
    count = int(len(words) * share)
    return " ".join(words[count:] + text(seed + 1000, count).split())


def found(texts, **options):
    signatures = [signature(each, PARAMETERS) for each in texts]
    stacked = np.stack([np.zeros(256, np.uint32) if s is None else s for s in signatures])
    nobody = [False] * len(texts)
    options = {"skip": [s is None for s in signatures], "always": nobody, **options}
    return {row: near.kept for row, near in near_duplicates(stacked, PARAMETERS, **options).items()}


def test_signatures_are_those_of_datasketch():
    datasketch = pytest.importorskip("datasketch")
    for seed, count in ((1, 5), (2, 40), (3, 4000)):
        tokens = text(seed, count).encode().split()
        theirs = datasketch.MinHash(num_perm=256, hashfunc=xxhash.xxh32_intdigest)
        theirs.update_batch([b" ".join(tokens[k : k + 5]) for k in range(len(tokens) - 4)])
        ours = signature(b" ".join(tokens).decode(), PARAMETERS)
        assert np.array_equal(ours, theirs.hashvalues)


def test_the_permutations_are_pinned():
    multipliers, offsets = permutations(256)
    assert all(multipliers % 2 == 1)
    assert xxhash.xxh32_hexdigest(multipliers.tobytes() + offsets.tobytes()) == "c927d0c1"


def test_estimates_agree_with_datasketch_lsh():
    datasketch = pytest.importorskip("datasketch")
    base = text(1)
    texts = [base, *(edited(base, share, seed) for seed, share in enumerate((0.02, 0.05, 0.1)))]
    lsh = datasketch.MinHashLSH(num_perm=256, params=(25, 10))
    for number, each in enumerate(texts):
        lsh.insert(number, datasketch.MinHash(
            hashvalues=signature(each, PARAMETERS), scheme="affine32"))  # fmt: skip
    query = datasketch.MinHash(hashvalues=signature(base, PARAMETERS), scheme="affine32")
    assert set(lsh.query(query)) == {0, 1, 2, 3}
    assert found(texts) == {1: 0, 2: 0, 3: 0}


def test_planted_near_duplicates_are_found_and_others_are_not():
    originals = [text(seed) for seed in range(30)]
    copies = [edited(each, 0.05, seed) for seed, each in enumerate(originals[:10])]
    assert found(originals + copies) == {30 + k: k for k in range(10)}


def test_half_alike_is_not_near():
    base = text(1)
    assert found([base, edited(base, 0.4)]) == {}


def test_what_resembles_only_something_removed_stays():
    """No chains: b resembles a and goes; c resembles b, not a, and stays."""
    a = text(1, 1000)
    b, c = edited(a, 0.13, 1), edited(edited(a, 0.13, 1), 0.13, 2)
    assert found([a, b, c]) == {1: 0}
    assert found([b, c]) == {1: 0}


def test_rows_always_kept_still_remove_others():
    base = text(1)
    assert found([base, base, edited(base, 0.02)], always=[True, True, False]) == {2: 0}


def test_skipped_rows_neither_go_nor_remove():
    base = text(1)
    assert found([base, base, base], skip=[True, False, False]) == {2: 1}


def test_short_texts_have_no_signature():
    assert signature("one two three four", PARAMETERS) is None
    assert signature("", PARAMETERS) is None
    assert len(shingle_hashes("one two three four five", 5)) == 1


def test_shingles_ignore_layout_and_other_scripts():
    assert np.array_equal(
        signature("def f(a, b):\n    return a", PARAMETERS),
        signature("def  f (a,b) :  # é\n\treturn a", PARAMETERS),
    )


def test_an_empty_corpus():
    empty = np.empty((0, 256), np.uint32)
    assert near_duplicates(empty, PARAMETERS, skip=[], always=[]) == {}
