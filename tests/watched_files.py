"""What is told of files where there are more than are looked at: run by ``watched_files.rs``."""

import os
import sys
import tempfile

from jostle_harness import files
from jostle_harness.holders import Holders

files._ENTRIES = int(sys.argv[1])
root = os.path.realpath(tempfile.mkdtemp())
temporary = os.path.join(root, "tmp")
project = os.path.join(root, "project")
for folder in (temporary, os.path.join(project, "b"), os.path.join(project, "a", "deep")):
    os.makedirs(folder)
tempfile.tempdir = temporary
os.chdir(project)


def put(name, text="as it was"):
    with open(os.path.join(project, name), "w") as file:
        file.write(text)


for name in ("1.txt", "2.txt", "a/3.txt", "a/deep/4.txt", "b/5.txt", "b/6.txt", "b/7.txt"):
    put(name)
watched = files.Files(project, lambda: Holders(lambda _: False))
for change in sys.argv[2:]:
    sort, name = change[0], change[1:]
    if sort == "-":
        os.remove(os.path.join(project, name))
    else:
        put(name, "another")
for place in watched.changes():
    print(place.name, place.old, place.new, sep="|")
print("cut off" if watched.is_cut_off else "all")
