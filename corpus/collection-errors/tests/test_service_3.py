import celery_app


def test_service():
    assert celery_app
