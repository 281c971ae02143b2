"""What is about to be published, and all that is known of how it was made. Pure."""

from dataclasses import dataclass

from finetune_api.messages import JobDocument
from finetune_api.plan import BASE, Plan, PlannedPass, adapters_of
from finetune_api.resource.data import DataConfig
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Tuning
from finetune_runner.committed import Committed, verified_on
from finetune_runner.prepared import Prepared
from finetune_runner.publishing.report import FullReport
from finetune_runner.store.manifest import Manifest


@dataclass(frozen=True)
class Made:
    """An artifact: the output of one of a job's passes."""

    document: JobDocument
    plan: Plan
    prepared: Prepared
    committed: Committed
    report: FullReport
    step: PlannedPass
    """The pass whose output it is."""
    uri: str
    """Where it is published."""

    @property
    def spec(self) -> FineTuneJobSpec:
        return self.document.spec

    @property
    def manifest(self) -> Manifest:
        return self.committed[self.step.name]

    @property
    def verified_on(self) -> str:
        """The execution provider that it was seen to run on; empty for none."""
        return verified_on(self.plan, self.step.name, self.committed)

    @property
    def steps(self) -> list[PlannedPass]:
        """The passes that were made; those of candidates that were not needed were not."""
        return [step for step in self.plan.passes if step.name in self.committed]

    @property
    def lineage(self) -> list[PlannedPass]:
        """The passes that it was made by, from the base on; of several adapters, those of all."""
        names, left = set[str](), [self.step.name]
        while left:
            if (name := left.pop()) == BASE or name in names:
                continue
            names.add(name)
            step = self.plan.pass_named(name)
            left += [step.input, *step.further_adapters]
        return [step for step in self.plan.passes if step.name in names]

    @property
    def adapters(self) -> tuple[str, ...]:
        """Of several adapters: the passes that made them, the input's first; else empty."""
        return adapters_of(self.spec, self.step.name)

    @property
    def tuned_by(self) -> PlannedPass | None:
        """The pass that trained it last, or the first of its adapters; None where nothing did."""
        return next(iter(self.tuners), None)

    @property
    def tuners(self) -> list[PlannedPass]:
        """The pass that trained it last; of several adapters, that of each."""
        found = (self._tuner(name) for name in self.adapters or (self.step.name,))
        return [step for step in found if step]

    @property
    def trained_on(self) -> DataConfig | None:
        """The rows that it, or the first of its adapters, was trained on last."""
        return self.rows_of(self.tuned_by) if self.tuned_by else None

    def rows_of(self, tuner: PlannedPass) -> DataConfig:
        """The rows that a tuning pass trained on."""
        config = tuner.spec.config
        assert isinstance(config, Tuning)  # noqa: S101  the caller's choice
        return next(data for data in self.spec.data_configs if data.name == config.train_data)

    def _tuner(self, name: str) -> PlannedPass | None:
        """The last tuning pass on the way from the base to what a pass made."""
        while name != BASE:
            step = self.plan.pass_named(name)
            if isinstance(step.spec.config, Tuning):
                return step
            name = step.input
        return None
