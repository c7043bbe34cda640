from hypothesis import settings

settings.register_profile("steady", derandomize=True, database=None, deadline=None, max_examples=30)
settings.load_profile("steady")
