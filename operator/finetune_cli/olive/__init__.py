"""An Olive config as a FineTuneJob, one module a part of it. Pure; every key is carried, translated or reported."""
