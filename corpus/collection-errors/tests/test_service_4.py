import grpc_tools_x


def test_service():
    assert grpc_tools_x
