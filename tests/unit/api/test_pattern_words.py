"""An error says in words what a text should look like."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse

MISTAKES = [
    (
        {"systems": [{"name": "gpu", "resources": {"requests": {"memory": "16 GB"}}}, {"name": "cpu"}]},
        "'16 GB' is not a quantity such as 500m, 2 or 16Gi",
    ),
    (
        {"inputModel": {"source": {"s3": {"uri": "models/x"}}}},
        "spec.inputModel.source.s3.uri: 'models/x' is not an address such as s3://bucket/prefix,"
        " with 3 to 63 characters for the bucket",
    ),
    (
        {"inputModel": {"source": {"s3": {"uri": "s3://models/x", "endpoint": "minio:9000"}}}},
        "spec.inputModel.source.s3.endpoint: 'minio:9000' is not a URL such as https://s3.example.com",
    ),
    (
        {"inputModel": {"source": {"huggingFace": {"repo": "a b"}}}},
        "spec.inputModel.source.huggingFace.repo: 'a b' is not a repository such as microsoft/Phi-3-mini-4k-instruct",
    ),
]


@pytest.mark.parametrize(("change", "said"), MISTAKES)
def test_a_text_of_the_wrong_shape_is_told_in_words(change, said):
    problems = [str(problem) for problem in parse(wire_spec(**change))[1]]
    assert any(said in text for text in problems), problems
