FORMATS = {"csv", "json", "xml", "yaml", "toml", "ini"}


def extension(name):
    return "." + name


def known(name):
    return name in FORMATS
