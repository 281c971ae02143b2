"""From a source in the spec to something that can be resolved and fetched."""

from finetune_api.resource.data import DataConfig, DataSource
from finetune_api.resource.input_model import ModelSource
from finetune_runner.layout import PodLayout
from finetune_runner.sources.folder import config_map_source, volume_source
from finetune_runner.sources.hub import HubSource
from finetune_runner.sources.hub_dataset import HubDataset
from finetune_runner.sources.inline import inline_source
from finetune_runner.sources.s3 import S3Source
from finetune_runner.sources.source import Kind, ListedSource, Source


def open_source(source: ModelSource | DataSource, *, kind: Kind, layout: PodLayout, path: str) -> ListedSource:
    """The source of a model or of rows; no request is made yet.

    Args:
        source: the one-of.
        kind: what it holds.
        layout: where secrets, config maps and volumes lie.
        path: its place in the spec, such as spec.inputModel.source.
    """
    if source.hugging_face:
        return HubSource(source.hugging_face, kind=kind, layout=layout, path=f"{path}.huggingFace")
    if source.s3:
        return S3Source(source.s3, kind=kind, layout=layout, path=f"{path}.s3")
    if source.volume:
        return volume_source(source.volume, kind=kind, layout=layout, path=f"{path}.volume")
    assert isinstance(source, DataSource)  # noqa: S101  only rows come from a config map
    assert source.config_map is not None  # noqa: S101  the one-of's last member
    return config_map_source(source.config_map, layout=layout, path=f"{path}.configMap")


def open_rows(config: DataConfig, *, layout: PodLayout, path: str) -> Source:
    """The source of a data config; no request is made yet.

    Args:
        config: the data config.
        layout: where secrets, config maps and volumes lie.
        path: its place in the spec, such as spec.dataConfigs[0].
    """
    where = f"{path}.source"
    if config.source.inline:
        return inline_source(config, path=f"{where}.inline")
    source = open_source(config.source, kind="dataset", layout=layout, path=where)
    if not isinstance(source, HubSource) or config.files:
        return source
    subset = config.source.hugging_face.subset if config.source.hugging_face else ""
    scratch = layout.folder("prepare", "readme", config.name)
    return HubDataset(source, subset=subset, split=config.split, scratch=scratch, path=path)
