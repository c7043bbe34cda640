import pytest

from shop.api import User, app, get_current_user


@pytest.fixture
def as_admin():
    app.dependency_overrides[get_current_user] = lambda: User("root", admin=True)
    yield
    del app.dependency_overrides[get_current_user]
