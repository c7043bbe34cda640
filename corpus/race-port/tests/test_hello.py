import server


def test_hello():
    assert server.serve_once(b"hello") == b"hello"
