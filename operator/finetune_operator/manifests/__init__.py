"""What is made, as manifests: the ConfigMap and the Jobs of a FineTuneJob, their pod, and events. Pure."""
