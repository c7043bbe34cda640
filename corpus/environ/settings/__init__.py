import os


def database_url():
    return os.environ.get("SHOP_DATABASE_URL", "sqlite://")


def debug():
    return os.environ.get("SHOP_DEBUG", "0") == "1"


def workers():
    return int(os.environ.get("SHOP_WORKERS", "2"))
