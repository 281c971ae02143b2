"""How many examples a property is tried with: a few each time, many with `make soak`."""

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]

settings.register_profile("few", max_examples=15, deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.register_profile("soak", max_examples=5000, deadline=None, suppress_health_check=SLOW)
settings.load_profile("few")
