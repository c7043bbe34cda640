class Mailer:
    _instance = None

    @classmethod
    def instance(cls):
        if cls._instance is None:
            cls._instance = cls()
        return cls._instance

    def __init__(self):
        self.sender = "noreply@example.org"
        self.outbox = []

    def send(self, to, subject):
        message = {"from": self.sender, "to": to, "subject": subject}
        self.outbox.append(message)
        return message


def welcome(name):
    return Mailer.instance().send(name, "Welcome")
