"""The resource as typed models, one module per part of the spec."""
