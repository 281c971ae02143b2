"""Merging an adapter into its base: shard by shard, or with the whole model in memory where that cannot be right."""
