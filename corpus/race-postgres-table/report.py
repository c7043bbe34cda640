"""Lines of a report, in PostgreSQL."""


def add(office, line):
    office.execute("INSERT INTO report VALUES (%s)", (line,))


def lines(office):
    return office.execute("SELECT count(*) FROM report").fetchone()[0]
