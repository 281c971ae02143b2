"""What is about to be published, and all that is known of how it was made. Pure."""

from dataclasses import dataclass

from finetune_api.messages import JobDocument
from finetune_api.plan import BASE, Plan, PlannedPass
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
        """The passes that it was made by, from the base on."""
        steps, name = list[PlannedPass](), self.step.name
        while name != BASE:
            steps.insert(0, self.plan.pass_named(name))
            name = steps[0].input
        return steps

    @property
    def tuned_by(self) -> PlannedPass | None:
        """The pass that trained it last; None where nothing did."""
        return next((step for step in reversed(self.lineage) if isinstance(step.spec.config, Tuning)), None)

    @property
    def trained_on(self) -> DataConfig | None:
        """The rows that it was trained on last."""
        config = self.tuned_by.spec.config if self.tuned_by else None
        if not isinstance(config, Tuning):
            return None
        return next(data for data in self.spec.data_configs if data.name == config.train_data)
