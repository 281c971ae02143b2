"""What the resource's patterns ask for, in words: nobody reads a regular expression in an error."""

from typing import Any, get_args

from finetune_api.resource import base, data, exports, gates, locations, passes, systems

_WORDS: dict[Any, str] = {
    base.Name: "a name of lower-case letters, digits and '-' such as tone-v2",
    base.ObjectName: "the name of a Kubernetes object: lower-case letters, digits, '-' and '.'",
    passes.NewToken: "a token, on one line and without white space at its ends",
    systems.Quantity: "a quantity such as 500m, 2 or 16Gi",
    systems.QueueName: "the name of a queue or its priority class: at most 63 lower-case letters, digits, '-' and '.'",
    systems.VariableName: "a variable's name such as HF_HOME",
    systems.MountPath: "an absolute path without ':'",
    data.SplitName: "the name of a split such as train",
    exports.NodeName: "a node's name, which has no comma",
    systems.ResourceName: "the name of a resource such as nvidia.com/gpu",
    gates.Bound: 'a decimal number as text such as "0.85"',
    locations.S3Uri: "an address such as s3://bucket/prefix, with 3 to 63 characters for the bucket",
    locations.Endpoint: "a URL such as https://s3.example.com, without user, password or query",
    locations.RelativePath: "a path without a leading /",
    locations.SecretKey: "a key of letters, digits, '-', '_' and '.'",
    locations.Repository: "a repository such as microsoft/Phi-3-mini-4k-instruct",
}


def _pattern(text: Any) -> str:
    return next(str(part.pattern) for part in get_args(text) if hasattr(part, "pattern"))


_BY_PATTERN = {_pattern(text): words for text, words in _WORDS.items()}
_BARE = frozenset(
    _pattern(text) for text in (base.Name, base.ObjectName, locations.SecretKey, passes.NewToken, exports.NodeName)
)
"""Those of which the API server shows the expression alone: words would take room, and most are names."""


def told_by_server(pattern: str) -> str:
    """The words for a pattern that the CRD has, too; empty where it leaves them out."""
    return "" if pattern in _BARE else _BY_PATTERN.get(pattern, "")


def described(pattern: str) -> str:
    """A text that matches, described; the pattern itself where there are no words for it."""
    return _BY_PATTERN.get(pattern, f"a text that matches {pattern}")
