from shop.invoicing import invoice


def test_invoice_has_a_number():
    assert invoice().number > 0
