"""Which execution providers the passes of a job run exported graphs on: what their images must bring. Pure.

Of any spec: a name that leads nowhere is another finding.
"""

from finetune_api.export_options import CUDA, runs_on
from finetune_api.plan import execution_provider, input_name, system_name
from finetune_api.resource.exports import Export
from finetune_api.resource.job import FineTuneJobSpec


def providers_run(spec: FineTuneJobSpec, index: int) -> frozenset[str]:
    """The execution providers of the graphs that a pass runs: its own export's, to see it answer; what it measures.

    What its system can't run it leaves alone.
    """
    step = spec.passes[index]
    accelerators = [system.accelerator for system in spec.systems if system.name == system_name(spec, step)]
    named = {step.name, input_name(spec, index), step.evaluate.compared_to if step.evaluate else ""}
    made_for = {execution_provider(spec, p) for p in spec.passes if p.name in named and isinstance(p.config, Export)}
    return frozenset(
        provider for provider in made_for for accelerator in accelerators if runs_on(provider, accelerator)
    )


def cuda_systems(spec: FineTuneJobSpec) -> frozenset[str]:
    """Names of the systems on which a pass runs a graph that is made for CUDA."""
    return frozenset(
        system_name(spec, step) for index, step in enumerate(spec.passes) if CUDA in providers_run(spec, index)
    )
