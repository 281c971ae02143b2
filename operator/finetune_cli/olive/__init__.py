"""An Olive config as a FineTuneJob: one module a part of the config. Pure; every key is carried, translated or reported."""
