"""The shelf keeps what was used last, never more than its bytes, and nothing that is too old."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.errors import UsageError
from modeldyno.policies.caching import LARGEST_SHARE, Shelf, check_caching
from modeldyno.records.deployment import Cache

STEPS = st.lists(
    st.tuples(st.sampled_from(["keep", "use", "discard"]), st.integers(0, 9), st.integers(0, 150), st.integers(0, 30)),
    max_size=60,
)


class Model:
    """The same by brute force: a list of (key, size, kept_ns), the least recently used first."""

    def __init__(self, max_bytes: int, ttl_ns: int | None) -> None:
        self.max_bytes, self.ttl_ns = max_bytes, ttl_ns
        self.kept: list[tuple[int, int, int]] = []

    def is_fresh(self, entry: tuple[int, int, int], now_ns: int) -> bool:
        return self.ttl_ns is None or now_ns - entry[2] < self.ttl_ns

    def use(self, key: int, now_ns: int) -> bool:
        for entry in self.kept:
            if entry[0] == key and self.is_fresh(entry, now_ns):
                self.kept.remove(entry)
                self.kept.append(entry)
                return True
        return False

    def keep(self, key: int, size: int, now_ns: int) -> set[int] | None:
        if size > self.max_bytes // LARGEST_SHARE:
            return None
        self.discard(key)
        before = {entry[0] for entry in self.kept}
        self.kept = [entry for entry in self.kept if self.is_fresh(entry, now_ns)]
        while sum(entry[1] for entry in self.kept) + size > self.max_bytes:
            del self.kept[0]
        self.kept.append((key, size, now_ns))
        return before - {entry[0] for entry in self.kept}

    def discard(self, key: int) -> None:
        self.kept = [entry for entry in self.kept if entry[0] != key]


@given(st.integers(0, 1000), st.none() | st.integers(1, 100), STEPS)
def test_it_does_what_a_list_searched_from_end_to_end_would(
    max_bytes: int, ttl_ns: int | None, steps: list[tuple[str, int, int, int]]
) -> None:
    shelf: Shelf[int] = Shelf(max_bytes=max_bytes, ttl_ns=ttl_ns)
    model, now_ns = Model(max_bytes, ttl_ns), 0
    for step, key, size, passed_ns in steps:
        now_ns += passed_ns
        if step == "keep":
            out = shelf.keep(key, size, now_ns)
            assert model.keep(key, size, now_ns) == (None if out is None else set(out))
        elif step == "use":
            assert model.use(key, now_ns) == shelf.use(key, now_ns)
        else:
            shelf.discard(key)
            model.discard(key)
        assert sum(entry[1] for entry in model.kept) == shelf.used_bytes <= max_bytes
        assert len(model.kept) == len(shelf)


@given(
    st.integers(1, 100),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20), st.integers(0, 120), st.integers(0, 30)), max_size=60),
)
def test_what_was_kept_elsewhere_before_is_never_used_for_longer(
    ttl_ns: int, steps: list[tuple[int, int, int, int]]
) -> None:
    shelf: Shelf[int] = Shelf(max_bytes=160, ttl_ns=ttl_ns)
    born: dict[int, int] = {}
    now_ns = 0
    for key, size, age_ns, passed_ns in steps:
        now_ns += passed_ns
        for other in shelf.keep(key, size, now_ns, age_ns=age_ns) or ():
            del born[other]
        born[key] = now_ns - age_ns
        assert {one for one in born if now_ns - born[one] < ttl_ns} == {one for one in born if shelf.use(one, now_ns)}
        assert (len(born), True) == (len(shelf), shelf.used_bytes <= 160)


def test_the_least_recently_used_leaves_first() -> None:
    shelf: Shelf[str] = Shelf(max_bytes=80)
    for key in "abcdefgh":
        assert [] == shelf.keep(key, 10, 0)
    assert shelf.use("a", 0)
    assert ["b", "c"] == [*(shelf.keep("i", 10, 0) or ()), *(shelf.keep("j", 10, 0) or ())]


def test_what_is_too_old_leaves_before_what_is_used_seldom() -> None:
    shelf: Shelf[str] = Shelf(max_bytes=80, ttl_ns=100)
    shelf.keep("old", 10, 0)
    for number in range(7):
        shelf.keep(f"seldom {number}", 10, 50)
    shelf.use("old", 60)
    assert ["old"] == shelf.keep("new", 10, 100)


def test_an_answer_may_be_used_until_its_time_is_over_and_use_does_not_renew_it() -> None:
    shelf: Shelf[str] = Shelf(max_bytes=80, ttl_ns=100)
    shelf.keep("a", 10, 0)
    assert shelf.use("a", 99)
    assert not shelf.use("a", 100)


def test_a_large_entry_does_not_drive_out_the_others() -> None:
    shelf: Shelf[str] = Shelf(max_bytes=80)
    shelf.keep("a", 10, 0)
    assert shelf.keep("large", 11, 0) is None
    assert shelf.use("a", 0)


@pytest.mark.parametrize("cache", (Cache(max_bytes=-1), Cache(max_bytes=1, ttl_ns=0), Cache(ttl_ns=1)))
def test_settings_that_cannot_be_meant_are_refused(cache: Cache) -> None:
    with pytest.raises(UsageError):
        check_caching(cache)


@pytest.mark.parametrize("cache", (Cache(), Cache(max_bytes=1), Cache(max_bytes=1, ttl_ns=1)))
def test_settings_that_can_be_meant_are_taken(cache: Cache) -> None:
    check_caching(cache)
