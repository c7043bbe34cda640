import socket
import time

PORT = 38471


def serve_once(answer):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", PORT))
    listener.listen(1)
    client = socket.create_connection(("127.0.0.1", PORT))
    connection, _ = listener.accept()
    connection.sendall(answer)
    time.sleep(0.2)
    connection.close()
    received = client.recv(100)
    client.close()
    listener.close()
    return received
