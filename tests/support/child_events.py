"""What happens to a job's Jobs and its ConfigMap, and in their names."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from finetune_api.failures import Reason
from finetune_operator.names import config_map_name, prepare_name, stage_name
from operator_world import UID
from random_life import RandomLife, event, has_ended, which
from simulated_api import KEY, Objects, Wire
from simulated_store import STAGES
from wire_state import ended_as

SYSTEMS = ("gpu", "cpu")


class ChildEvents(RandomLife):
    @precondition(lambda self: self.life.api.own_jobs())
    @event(index=which, how=st.sampled_from(("Foreground", "Background", "Orphan")))
    def a_job_is_deleted(self, index: int, how: str) -> None:
        api, jobs = self.life.api, self.life.api.own_jobs()
        job = jobs[index % len(jobs)]
        self.loses()
        if how == "Foreground":
            api.mark_deleted(api.jobs, job["metadata"]["name"])
            return
        if how == "Orphan":
            for pod in list(api.pods_of(job)):
                api.put(api.pods, {**pod, "metadata": {**pod["metadata"], "ownerReferences": []}})
        api.remove(api.jobs, job["metadata"]["name"])

    @precondition(lambda self: self.life.controllers.live_jobs)
    @event(queued=st.booleans())
    def a_job_is_queued_or_admitted(self, queued: bool) -> None:
        self.life.controllers.queue(self.life.controllers.live_jobs[0], queued=queued)
        self.life.blame(Reason.INTERRUPTED)

    @precondition(has_ended)
    @event()
    def ended_jobs_are_cleaned_up(self) -> None:
        for job in self.life.api.own_jobs():
            if ended_as(job):
                self.life.api.remove(self.life.api.jobs, job["metadata"]["name"])

    @precondition(lambda self: has_ended(self) and self.backup)
    @event()
    def the_children_are_restored(self) -> None:
        self.life.restore_children(self.backup)
        self.foreign.clear()

    @event(stage=st.sampled_from((None, *range(len(STAGES)))), owner=st.sampled_from(({}, {"labelled": "as ours"})))
    def somebody_makes_a_job_of_the_next_ones_name(self, stage: int | None, owner: dict[str, str]) -> None:
        attempt = self.life.api.status.prepare.attempt if self.life.api.status.prepare else 1
        prepare = prepare_name(KEY[1], UID, attempt + 1 if stage is None and self.life.api.jobs else attempt)
        name = prepare if stage is None else stage_name(KEY[1], UID, stage, SYSTEMS[stage], attempt)
        labels = self.labels_of_ours() if owner else {}
        wire = {"metadata": {"name": name, "namespace": KEY[0], "uid": "x", "labels": labels}, "status": {}}
        self.somebody_makes(self.life.api.jobs, wire)

    def labels_of_ours(self) -> dict[str, str]:
        return next((job["metadata"]["labels"] for job in self.life.api.own_jobs()), {})

    @event()
    def somebody_makes_a_config_map_of_its_name(self) -> None:
        meta = {"name": config_map_name(KEY[1], UID), "namespace": KEY[0], "uid": "x"}
        self.somebody_makes(self.life.api.config_maps, {"metadata": meta, "data": {}})

    def somebody_makes(self, kind: Objects, wire: Wire) -> None:
        if wire["metadata"]["name"] not in kind:
            self.life.api.put(kind, wire)
            self.foreign.append((kind, kind[wire["metadata"]["name"]]))

    @event()
    def the_config_map_is_deleted(self) -> None:
        maps, name = self.life.api.config_maps, config_map_name(KEY[1], UID)
        if name in maps and maps[name]["metadata"]["uid"] != "x":
            self.life.api.remove(maps, name)
