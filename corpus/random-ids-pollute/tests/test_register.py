import uuid

import pytest

REGISTRY = {}
KEYS = [uuid.uuid4().hex[:8] for _ in range(2)]


@pytest.mark.parametrize("key", KEYS)
def test_registration_is_found(key):
    REGISTRY[key] = len(REGISTRY) + 1
    assert key in REGISTRY


def test_keys_differ():
    assert len(set(KEYS)) == len(KEYS)


def test_registry_is_empty_at_first():
    assert REGISTRY == {}
