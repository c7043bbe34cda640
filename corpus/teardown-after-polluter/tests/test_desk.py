import pytest

from desk import Job, in_hand


@pytest.fixture(scope="module")
def letter():
    job = Job("letter")
    job.take()
    yield job
    job.put_away()


def test_a_parcel_is_taken():
    parcel = Job("parcel")
    parcel.take()
    assert in_hand() == "parcel"


def test_letter_has_a_name(letter):
    assert letter.name == "letter"


def test_letter_can_be_renamed(letter):
    assert Job(letter.name.upper()).name == "LETTER"


def test_letter_is_a_job(letter):
    assert isinstance(letter, Job)


def test_a_bill_is_taken_and_put_away():
    bill = Job("bill")
    bill.take()
    bill.put_away()
