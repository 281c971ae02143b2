"""What a plugin's own code raises."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.ending.exceptions import as_failure
from finetune_runner.plugins.installed import AnyInstalled

log = logging.getLogger(__name__)


@contextmanager
def own_failures(plugin: AnyInstalled, path: str) -> Iterator[None]:
    """A plugin's exceptions become a failure that names it, with the traceback in the log.

    Raises:
        FineTuneError: PluginFailed; or what the exception stands for, such as a full disk; or the plugin's own.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        log.error("%s failed", plugin.title, exc_info=error)  # noqa: TRY400  the level's own call names no exception
        raise _failure(plugin, error, path) from error


def _failure(plugin: AnyInstalled, error: BaseException, path: str) -> FineTuneError:
    """A full disk is a full disk, and a FineTuneError is the plugin's own word; all else is a failed plugin."""
    failure = as_failure(error)
    if failure.reason is Reason.INTERNAL and not isinstance(error, FineTuneError):
        remedy = "The pod's log has the traceback; change plugin.config, or tell whoever wrote the plugin."
        message = f"{plugin.title} failed: {failure.message}"
        return FineTuneError(Reason.PLUGIN_FAILED, message, remedy=remedy, path=path)
    failure.path = failure.path or path
    return failure
