"""finetune describe: a job's status as a story for people."""
