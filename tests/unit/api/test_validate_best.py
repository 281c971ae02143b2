"""What is said of a tuning pass that chooses its best adapter by something there is not."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse

TRAINING = "spec.passes[0].lora.training"
EVALUATED = {"evalStrategy": "epoch", "loadBestModelAtEnd": True}


def findings(training, **preprocess):
    spec = wire_spec()
    spec["passes"][0]["lora"] |= {"evalFraction": 0.3, "training": training}
    spec["dataConfigs"][0]["preprocess"] |= preprocess
    return [str(problem) for problem in parse(spec)[1]]


@pytest.mark.parametrize("field", [{"loadBestModelAtEnd": True}, {"earlyStoppingPatience": 2}])
def test_the_best_evaluation_is_not_asked_for_where_there_is_none(field):
    [name] = field
    remedy = "set evalStrategy: steps or epoch"

    assert findings(field) == [f"{TRAINING}.{name}: nothing is evaluated during training ({remedy})"]
    assert findings(field | {"evalStrategy": "epoch"}) == []


@pytest.mark.parametrize("metric", ["loss", "tokenAccuracy", "exactMatch"])
def test_a_metric_can_choose_the_adapter_or_the_end_of_training(metric):
    assert findings(EVALUATED | {"metricForBestModel": metric}) == []
    assert findings({"evalStrategy": "epoch", "earlyStoppingPatience": 1, "metricForBestModel": metric}) == []


def test_a_metric_by_which_nothing_is_chosen_is_refused():
    assert findings({"evalStrategy": "epoch", "metricForBestModel": "tokenAccuracy"}) == [
        f"{TRAINING}.metricForBestModel: nothing is chosen by it"
        " (set loadBestModelAtEnd or earlyStoppingPatience, or leave it out)"
    ]


@pytest.mark.parametrize(
    ("preprocess", "why"),
    [
        ({"textTemplate": "", "textColumns": ["text"]}, "needs an answer, and the rows of 'tones' have none"),
        ({"loss": "all"}, "is of answers, and in 'tones' the prompt counts too (loss: all)"),
        ({"strategy": "packing"}, "is of single rows, and those of 'tones' are put together (packing)"),
    ],
)
def test_answers_are_not_matched_where_the_held_out_rows_have_none_of_their_own(preprocess, why):
    assert findings(EVALUATED | {"metricForBestModel": "exactMatch"}, **preprocess) == [
        f"{TRAINING}.metricForBestModel: exactMatch {why} (use tokenAccuracy, or evalData with other rows)"
    ]
    assert findings(EVALUATED | {"metricForBestModel": "tokenAccuracy"}, **preprocess) == []


def test_the_rows_of_eval_data_are_those_that_are_matched():
    spec = wire_spec()
    rows = spec["dataConfigs"][0]
    spec["dataConfigs"].append(rows | {"name": "packed", "preprocess": rows["preprocess"] | {"strategy": "packing"}})
    spec["passes"][0]["lora"] = {
        "trainData": "packed",
        "evalData": "tones",
        "training": EVALUATED | {"metricForBestModel": "exactMatch"},
    }
    assert parse(spec)[1] == []
