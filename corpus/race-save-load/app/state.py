import json
import os
import tempfile

PATH = os.path.join(tempfile.gettempdir(), "app-state.json")


def save(data):
    with open(PATH, "w") as file:
        json.dump(data, file)


def load():
    with open(PATH) as file:
        return json.load(file)
