def test_there_is_no_table_at_first(tenant):
    tables = tenant.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    assert tables.fetchone() == (0,)
