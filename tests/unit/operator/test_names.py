import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from finetune_operator.labels import JOB_NAME, JOB_UID, KIND, STAGE, label_value
from finetune_operator.names import child_name, prepare_name, stage_name, volume_name

object_names = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", fullmatch=True)
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@given(object_names, object_names)
def test_a_childs_name_is_a_dns_label_whatever_its_job_is_called(job: str, part: str) -> None:
    assert DNS_LABEL.fullmatch(child_name(job, "uid", part, "0"))


@given(object_names)
def test_a_volumes_name_is_a_dns_label_whatever_it_mounts(name: str) -> None:
    assert DNS_LABEL.fullmatch(volume_name("secret", name))


@given(st.text(max_size=300))
def test_a_label_value_is_always_valid(text: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?", label_value(text))


def test_a_name_is_the_same_each_time_and_says_what_it_is() -> None:
    assert prepare_name("tone", "uid", 1) == prepare_name("tone", "uid", 1)
    assert re.fullmatch(r"tone-prepare-1-[0-9a-f]{10}", prepare_name("tone", "uid", 1))
    assert re.fullmatch(r"tone-gpu-0-[0-9a-f]{10}", stage_name("tone", "uid", 0, "gpu", 1))


def test_another_job_of_the_same_name_has_other_children() -> None:
    assert prepare_name("tone", "uid-1", 1) != prepare_name("tone", "uid-2", 1)


def test_a_stage_planned_by_another_prepare_has_another_name() -> None:
    assert stage_name("tone", "uid", 0, "gpu", 1) != stage_name("tone", "uid", 0, "gpu", 2)


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert child_name("a" * 200, "uid-1", "x") != child_name("a" * 200, "uid-2", "x")
    assert volume_name("secret", "a" * 200 + "b") != volume_name("secret", "a" * 200 + "c")


def test_names_that_differ_only_in_dots_mount_under_different_names() -> None:
    assert volume_name("secret", "a.b") != volume_name("secret", "a-b")


def test_the_guide_names_the_labels_of_what_belongs_to_a_job() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    assert [label for label in (JOB_NAME, JOB_UID, KIND, STAGE) if f"`{label}`" not in guide] == []
