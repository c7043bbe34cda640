class Shelf:
    def __init__(self):
        self._articles = {}

    def put(self, number, name):
        self._articles[number] = name

    def name(self, number):
        return self._articles[number]

    def take(self, number):
        return self._articles.pop(number)


main = Shelf()
