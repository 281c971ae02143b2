"""The usable rows of a data config's files."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import DataConfig, Filter
from finetune_runner.data.examples import columns_of, example_maker
from finetune_runner.data.values import BadRowError, Row, text_of, value_of
from finetune_runner.formats.errors import UnreadableFileError
from finetune_runner.formats.first_bytes import check_beginning
from finetune_runner.formats.reading import FORMATS, Format, format_of
from finetune_runner.sources.bad_rows import NAMED, BadRows


class RowFiles:
    """Rows that can be gone through again and again, from the beginning each time; few of them are in memory.

    Files come in order of their names. A row has only the columns that become text. Left out are rows that a filter
    does not keep, bad rows, and what is beyond maxSamples.
    """

    def __init__(self, folder: Path, names: Iterable[str], config: DataConfig, path: str) -> None:
        """Reads nothing yet.

        Args:
            folder: where the files lie.
            names: their paths in it.
            config: their data config.
            path: its place in the spec, such as spec.dataConfigs[0].

        Raises:
            FineTuneError: DatasetInvalid, the text template is malformed.
        """
        self.folder = folder
        self.names = sorted(names)
        self.config = config
        self.path = path
        self.bad = BadRows(config.max_bad_rows, path)
        """Of the latest way through."""
        self._make_example = example_maker(config.preprocess, f"{path}.preprocess")
        self._columns = columns_of(config.preprocess)

    def __iter__(self) -> Iterator[Row]:
        """The rows.

        Raises:
            FineTuneError: DatasetInvalid, naming file, line and what is wrong: a file can't be read, there are too
                many bad rows, or no usable ones.
        """
        bad = self.bad = BadRows(self.config.max_bad_rows, self.path)
        usable = 0
        for where, found in self._found():
            try:
                row = self._kept(found)
            except BadRowError as error:
                bad.add(where, error, others_usable=usable > 0)
                continue
            if row is not None:
                usable += 1
                yield row
            if usable == self.config.max_samples > 0:
                break
        bad.check(others_usable=usable > 0)
        if not usable:
            raise self._empty(bad)

    def _found(self) -> Iterator[tuple[str, Row | BadRowError]]:
        """All rows with their places, such as line 3 of a.csv."""
        columns = {*self._columns, *(one.column for one in self.config.filters)}
        for name in self.names:
            kind = self._format(name)
            try:
                check_beginning(self.folder / name)
                for number, found in kind.read(self.folder / name, columns):
                    yield f"{kind.unit} {number} of {name}", found
            except UnreadableFileError as error:
                message, where = f"{name}: {error.why}", f"{self.path}.{error.field}"
                raise FineTuneError(Reason.DATASET_INVALID, message, remedy=error.remedy, path=where) from error

    def _format(self, name: str) -> Format:
        found = self.config.format if self.config.format != "auto" else format_of(name)
        if not found:
            message = f"the format of {name} can't be told from its name"
            remedy = f"Set format to one of {', '.join(FORMATS)}."
            raise FineTuneError(Reason.DATASET_INVALID, message, remedy=remedy, path=f"{self.path}.format")
        return FORMATS[found]

    def _kept(self, found: Row | BadRowError) -> Row | None:
        """The row's columns that become text, which they can; None for a row that a filter does not keep."""
        if isinstance(found, BadRowError):
            raise found
        for number, one in enumerate(self.config.filters):
            if not _keeps(one, found, f"{self.path}.filters[{number}].column"):
                return None
        self._make_example(found)
        return {column: found[column] for column in self._columns}

    def _empty(self, bad: BadRows) -> FineTuneError:
        named = ", ".join(self.names[:NAMED]) + (" …" if len(self.names) > NAMED else "")
        if bad.count:
            message = f"every row of {named} is bad, such as {bad.named[0]}"
            remedy = "Correct the rows, or what is said of them."
        elif self.config.filters:
            message, remedy = f"the filters keep no row of {named}", "Check the filters' columns and values."
        else:
            message, remedy = f"the data set has no rows: {named}", "Put rows into it, or point to another file."
        field = "filters" if self.config.filters and not bad.count else "source"
        return FineTuneError(Reason.DATASET_INVALID, message, remedy=remedy, path=f"{self.path}.{field}")


def _keeps(one: Filter, row: Row, path: str) -> bool:
    return value_of(row, one.column, path) is not None and text_of(row, one.column, path) in one.values
