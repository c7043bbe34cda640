def test_name(tenant):
    assert tenant.execute("SELECT current_database()").fetchone()[0].startswith("tenant")
