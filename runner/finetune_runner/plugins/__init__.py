"""Third parties' passes: found, and checked before anything starts. The contract is finetune_api.plugin."""
