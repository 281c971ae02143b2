"""Runs inside the pods: prepare, and the stages with their passes. Imports finetune_api, never the operator."""
