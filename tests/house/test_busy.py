"""No test fails because the machine is busy."""

from hypothesis import HealthCheck, settings


def test_no_generated_example_has_a_deadline():
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check
