import server


def test_bye():
    assert server.serve_once(b"bye") == b"bye"
