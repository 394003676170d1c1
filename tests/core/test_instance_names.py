"""Names of instances: what may be one, every package takes; and what may not, has one that may be derived from it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.core.kernel.errors import AddressError
from actors.core.kernel.instances import NAME_CHARACTERS_MAX, checked_instance_name, is_instance_id, usable_name
from actors.packages.contents import checked_name

BAD = [
    "../../etc/passwd",
    "../x",
    "a/b",
    "a\\b",
    ".",
    "..",
    "~",
    "~x",
    "~2",
    "@x",
    "i7",
    "",
    " ",
    "a b",
    "a:b",
    "\x1b[31m",
    "x" * 65,
]


@pytest.mark.parametrize("bad", BAD)
def test_what_could_be_a_path_an_id_or_a_copys_is_refused(bad: str) -> None:
    with pytest.raises(AddressError):
        checked_instance_name(bad)


@pytest.mark.parametrize(
    "good", ["alpha", "alpha~2", "a.b", "..x", "x..", "i", "ix7", "ätna", "x" * NAME_CHARACTERS_MAX]
)
def test_what_may_be_a_name_stays_as_it_is(good: str) -> None:
    assert checked_instance_name(good) == usable_name(good) == checked_name(good, "name")


@given(st.text(max_size=80) | st.from_regex(r"[~@./\\\\i0-9 :x]{0,70}", fullmatch=True))
@example("~@~")
@example("@i5")
@example("~" * 70 + "x")
def test_from_any_text_a_name_is_derived_that_every_package_takes(text: str) -> None:
    found = usable_name(text)
    assert checked_instance_name(found) == found == usable_name(found)
    assert checked_name(found, "name") == found and not is_instance_id(found)


def test_what_is_derived() -> None:
    assert usable_name("../../etc/passwd") == ".._.._etc_passwd"
    assert usable_name("i7") == "instance-i7" and usable_name("~") == usable_name("..") == "instance"
    assert usable_name("~x") == "x" and usable_name("x" * 200) == "x" * NAME_CHARACTERS_MAX
