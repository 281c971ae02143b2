"""What is wrong with how a tuning pass chooses its best adapter. Pure."""

from collections.abc import Iterator

from finetune_api.problem import Problem
from finetune_api.resource.data import DataConfig
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Tuning
from finetune_api.validate.data import has_answer

ROW_BY_ROW = "line-by-line"


def best_problems(spec: FineTuneJobSpec, config: Tuning, path: str) -> Iterator[Problem]:
    """What looks at evaluations needs some, and what looks at answers needs those.

    Args:
        spec: with the data configs.
        config: of the pass.
        path: of its training arguments.
    """
    training = config.training
    ways = {
        "loadBestModelAtEnd": training.load_best_model_at_end,
        "earlyStoppingPatience": training.early_stopping_patience,
    }
    wanted = [name for name, given in ways.items() if given]
    if training.eval_strategy == "no":
        for name in wanted:
            yield Problem(f"{path}.{name}", "nothing is evaluated during training", "set evalStrategy: steps or epoch")
    if training.metric_for_best_model == "loss":
        return
    if not wanted:
        remedy = f"set {' or '.join(ways)}, or leave it out"
        yield Problem(f"{path}.metricForBestModel", "nothing is chosen by it", remedy)
    if training.metric_for_best_model == "exactMatch":
        name = config.eval_data or config.train_data
        held_out = next((data for data in spec.data_configs if data.name == name), None)
        yield from _answer_problems(held_out, f"{path}.metricForBestModel") if held_out else ()


def _answer_problems(data: DataConfig, path: str) -> Iterator[Problem]:
    """That a sequence of the held-out rows is one row, of which only an answer counts."""
    preprocess = data.preprocess
    remedy = "use tokenAccuracy, or evalData with other rows"
    if not has_answer(data):
        yield Problem(path, f"exactMatch needs an answer, and the rows of {data.name!r} have none", remedy)
    elif preprocess.loss == "all":
        yield Problem(path, f"exactMatch is of answers, and in {data.name!r} the prompt counts too (loss: all)", remedy)
    if preprocess.strategy != ROW_BY_ROW:
        message = f"exactMatch is of single rows, and those of {data.name!r} are put together ({preprocess.strategy})"
        yield Problem(path, message, remedy)
