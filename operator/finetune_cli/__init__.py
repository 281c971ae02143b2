"""`finetune`, also found by kubectl as `kubectl finetune`: what can be done with a FineTuneJob without a cluster."""
