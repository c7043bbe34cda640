import json


class Store:
    def __init__(self, folder, name):
        self.path = folder / f"{name}.json"

    def write(self, value):
        self.path.write_text(json.dumps(value))

    def read(self):
        return json.loads(self.path.read_text())
