import re
from pathlib import Path

from api_specs import wire_spec
from finetune_operator.decide.pod_trouble import WAITING
from finetune_operator.manifests.event import NOTE_LIMIT, build_event
from finetune_operator.story import ORDER, Chapter
from operator_world import START, World


def told(world: World) -> list[str]:
    return [chapter.reason for chapter in world.chapters]


def test_a_jobs_life_is_told_in_order() -> None:
    world = World().completed()
    assert told(world) == [
        "Accepted",
        "PrepareStarted",
        "Prepared",
        "StageStarted",
        "PassSucceeded",
        "StageStarted",
        "PassSucceeded",
        "PassSucceeded",
        "Published",
        "Complete",
    ]


def test_a_cached_jobs_life_is_short() -> None:
    world = World(committed={0, 1, 2})
    world.round()
    world.succeed()
    world.round()
    assert told(world) == ["Accepted", "PrepareStarted", "Prepared", "Published", "Complete"]
    assert "3 of 3 passes" in next(c.note for c in world.chapters if c.reason == "Prepared")


def test_a_failure_is_a_warning_with_its_reason_and_remedy() -> None:
    world = World(spec=wire_spec([("tune", "tpu", "lora")]))
    world.round()
    (chapter,) = world.chapters
    assert chapter.kind == "Warning"
    assert chapter.note.startswith("InvalidSpec: spec.passes[0].system: no system is named 'tpu'")


def test_suspending_and_resuming_are_told_each_time() -> None:
    world = World()
    for suspended in (True, False, True, False):
        world.suspend(suspended)
        world.rounds(2)
        world.finish_deletions()
        world.rounds(2)
    again = [(c.reason, c.which) for c in world.chapters if c.reason in ("Suspended", "Resumed")]
    assert [reason for reason, _ in again] == ["Suspended", "Resumed", "Suspended", "Resumed"]
    assert len(set(again)) == 4


def test_every_chapter_has_its_place_in_the_order() -> None:
    assert set(told(World().completed())) < set(ORDER)


def test_the_guide_lists_every_event_and_every_reason_to_wait() -> None:
    docs = Path(__file__).parents[3] / "docs"
    events = set(re.findall(r"`(\w+)`", (docs / "operations.md").read_text()))
    waits = set(re.findall(r"`(\w+)`", (docs / "failures.md").read_text()))
    assert set(ORDER) - set(WAITING) - events == set()
    assert set(WAITING) - waits == set()


def test_an_event_told_twice_has_one_name() -> None:
    world = World()
    chapter = Chapter("Accepted", "the spec is valid")
    first = build_event(world.observe(), chapter)
    world.later(60)
    second = build_event(world.observe(), chapter)
    assert first["metadata"]["name"] == second["metadata"]["name"]


def test_event_names_sort_as_the_story_goes() -> None:
    seen = World().observe()
    names = [build_event(seen, Chapter(reason, ""))["metadata"]["name"] for reason in ORDER]
    assert names == sorted(names)


def test_a_long_note_is_cut_to_what_the_api_takes() -> None:
    event = build_event(World().observe(), Chapter("Failed", "ü" * 5000))
    assert len(event["message"].encode()) <= NOTE_LIMIT
    assert event["firstTimestamp"] == START.strftime("%Y-%m-%dT%H:%M:%SZ")
